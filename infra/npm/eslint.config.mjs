// ESLint's recommended rules for the pages' scripts, and limits on the length of lines and functions.
// `make lint-scripts` copies this file into the folder of the installed tools, because its imports resolve from there.
import js from "@eslint/js";
import globals from "globals";

// All modules of a bundle share one scope, where a top-level name would shadow the browser's in all of them.
const browserName = `[name=/^(?:${Object.keys(globals.browser).join("|")})$/]`;
const top = ":matches(Program, ExportNamedDeclaration) >";
const message = "A module must not declare a top-level name that the browser also defines.";
const noBrowserNames = ["FunctionDeclaration > Identifier.id", "ClassDeclaration > Identifier.id"]
  .concat("VariableDeclaration > VariableDeclarator > Identifier.id")
  .map((declared) => ({ selector: `${top} ${declared}${browserName}`, message }));

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { noInlineConfig: true },
    rules: {
      eqeqeq: "error",
      "max-len": ["error", { code: 120, comments: 120 }],
      "max-lines-per-function": ["error", { max: 70, IIFEs: true }],
      "no-implicit-globals": "error",
      "no-restricted-syntax": ["error", ...noBrowserNames],
      "no-shadow": "error",
      "no-unused-expressions": "error",
      "no-warning-comments": ["error", { terms: ["@ts-nocheck", "@ts-ignore", "@ts-expect-error"], location: "anywhere" }],
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "off", // sentences that are longer than a line are concatenated
    },
  },
];
