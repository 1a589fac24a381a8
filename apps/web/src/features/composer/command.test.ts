import { describe, expect, it } from "vitest";
import { type Command, invocationOf, matchingCommands } from "./command";

const commandOf = (name: string, argument?: string): Command => ({
  name,
  description: name,
  run: () => undefined,
  ...(argument && { argument }),
});
const COMMANDS = [commandOf("new"), commandOf("rename", "title"), commandOf("remove")];
const namesFor = (text: string) => matchingCommands(COMMANDS, text).map(({ name }) => name);

describe("matchingCommands", () => {
  it.each([
    ["/", ["new", "rename", "remove"]],
    ["/re", ["rename", "remove"]],
    ["/REN", ["rename"]],
    ["/rename ", []],
    ["/etc", []],
    ["new", []],
    [" /new", []],
    ["", []],
  ])("offers for %j %j", (text, names) => expect(namesFor(text)).toEqual(names));
});

describe("invocationOf", () => {
  it("takes the rest as the argument", () => {
    const invocation = invocationOf(COMMANDS, "/Rename  Two words ");
    expect(invocation).toMatchObject({ command: { name: "rename" }, argument: "Two words" });
  });

  it.each(["/ren", "/new ideas, please", "rename", "/etc/hosts"])("leaves %j a message", (text) =>
    expect(invocationOf(COMMANDS, text)).toBeUndefined(),
  );
});
