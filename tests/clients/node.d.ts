// The only part of Node that the program uses, so that it needs no type package.
declare const process: { argv: string[] };
