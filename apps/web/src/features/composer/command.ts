/** What can be written as `/name argument` instead of a message. */
export interface Command {
  name: string;
  description: string;
  /** What follows the name, in words; absent where nothing does. */
  argument?: string;
  run: (argument: string) => void;
}

export interface Invocation {
  command: Command;
  argument: string;
}

/** The commands that `text` may still become; none once it is plainly a message. */
export function matchingCommands(commands: Command[], text: string): Command[] {
  const typed = /^\/(\S*)$/.exec(text)?.[1];
  if (typed === undefined) return [];
  return commands.filter(({ name }) => name.startsWith(typed.toLowerCase()));
}

/** The command that `text` calls, exactly by its name. */
export function invocationOf(commands: Command[], text: string): Invocation | undefined {
  const [, name, argument = ""] = /^\/(\S+)(?:\s+([^]*))?$/.exec(text.trim()) ?? [];
  const command = commands.find((one) => one.name === name?.toLowerCase());
  // What takes no argument is no command with one: `/new ideas, please` is a message.
  if (!command || (argument && command.argument === undefined)) return undefined;
  return { command, argument: argument.trim() };
}
