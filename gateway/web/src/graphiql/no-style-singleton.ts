/**
 * Stands in for the package react-style-singleton, with which menus and dialogs lock the page's scrolling by adding
 * style elements. The content security policy forbids those, and this page does not scroll.
 */
export const styleSingleton = () => () => null;
export const stylesheetSingleton = () => ({ add: () => undefined, remove: () => undefined });
export const styleHookSingleton = () => () => undefined;
