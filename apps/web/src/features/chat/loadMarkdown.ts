/** The markdown renderer is a third of the page's code, and an empty chat has no use for it. */
export const loadMarkdown = () => import("./Markdown");
