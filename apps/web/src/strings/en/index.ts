/** One namespace a feature; the other languages have the same keys. */
export { default as artifact } from "./artifact.json";
export { default as chat } from "./chat.json";
export { default as common } from "./common.json";
export { default as composer } from "./composer.json";
export { default as errors } from "./errors.json";
export { default as history } from "./history.json";
export { default as keyboard } from "./keyboard.json";
export { default as models } from "./models.json";
export { default as runs } from "./runs.json";
export { default as session } from "./session.json";
export { default as settings } from "./settings.json";
export { default as theme } from "./theme.json";
