// ESLint's recommended rules for the pages' scripts, and the limits of a line and a function.
// `make lint-scripts` copies this file beside the installed tools, where its imports are found.
import js from "@eslint/js";
import globals from "globals";

// A bundled script has the names of all its modules in one scope, where such a name would hide the browser's from each.
const browserName = `[name=/^(?:${Object.keys(globals.browser).join("|")})$/]`;
const top = ":matches(Program, ExportNamedDeclaration) >";
const message = "A module at its top declares no name that the browser has too.";
const noBrowserNames = ["FunctionDeclaration > Identifier.id", "ClassDeclaration > Identifier.id"]
  .concat("VariableDeclaration > VariableDeclarator > Identifier.id")
  .map((declared) => ({ selector: `${top} ${declared}${browserName}`, message }));

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "max-len": ["error", { code: 120, comments: 120 }],
      "max-lines-per-function": ["error", { max: 70 }],
      "no-implicit-globals": "error",
      "no-restricted-syntax": ["error", ...noBrowserNames],
      "no-shadow": "error",
      "no-unused-expressions": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "off", // a sentence longer than a line is a sum of strings
    },
  },
];
