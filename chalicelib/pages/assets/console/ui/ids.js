// Element ids that are unique in the page.

let serial = 0;

/** Return an id that no other element has. */
export const uid = () => `c${++serial}`;
