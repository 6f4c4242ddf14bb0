// All that the program uses of Node, so that its types need no package.
declare const process: { argv: string[] };
