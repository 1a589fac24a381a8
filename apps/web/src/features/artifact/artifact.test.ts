import { expect, it } from "vitest";
import { type ArtifactState, NOTHING, close, open, reduceArtifact, settle } from "./artifact";

function after(parts: [name: string, data: unknown][], state: ArtifactState = NOTHING) {
  return parts.reduce((now, [name, data]) => reduceArtifact(now, { name, data }), state);
}

function begun(kind: string, id = "d1"): [string, unknown][] {
  return [
    ["kind", kind],
    ["id", id],
    ["title", "Bread"],
    ["clear", null],
  ];
}

it("appends text, and replaces code and tables", () => {
  const text = after([...begun("text"), ["textDelta", "Flour "], ["textDelta", "and salt"]]);
  expect(text.stream).toMatchObject({ id: "d1", title: "Bread", content: "Flour and salt" });
  const code = after([...begun("code"), ["codeDelta", "a"], ["codeDelta", "a = 1"]]);
  expect(code.stream).toMatchObject({ kind: "code", content: "a = 1" });
});

it.each([
  ["text", "textDelta", 399, 400],
  ["code", "codeDelta", 299, 300],
])("opens %s once it is worth looking at", (kind, name, few, enough) => {
  expect(after([...begun(kind), [name, "x".repeat(few)]]).isOpen).toBe(false);
  const opened = after([...begun(kind), [name, "x".repeat(enough)]]);
  expect(opened).toMatchObject({ isOpen: true, shown: { id: "d1" } });
});

it("opens a table at once", () => {
  expect(after(begun("sheet"))).toMatchObject({ isOpen: true, shown: { kind: "sheet" } });
});

it("stays closed for whoever has closed it", () => {
  const opened = after([...begun("text"), ["textDelta", "x".repeat(500)]]);
  expect(after([["textDelta", "more"]], close(opened)).isOpen).toBe(false);
});

it("begins the text again without opening anew", () => {
  const state = after([...begun("text"), ["textDelta", "wrong"], ["clear", null]]);
  expect(after([["textDelta", "right"]], state).stream?.content).toBe("right");
});

it("keeps showing another document that was opened meanwhile", () => {
  const other = open(after(begun("text")), { id: "d0", title: "Old", kind: "text" });
  const state = after([["textDelta", "x".repeat(10)]], other);
  expect(state.shown?.id).toBe("d0");
  expect(state.stream?.content).toHaveLength(10);
});

it("shows what is written next to whoever has the panel open", () => {
  const state = after(begun("text", "d2"), open(NOTHING, { id: "d1", title: "", kind: "code" }));
  expect(state.shown).toEqual({ id: "d2", title: "Bread", kind: "text" });
});

it("keeps what was streamed until the stored version is there", () => {
  const done = after([...begun("text"), ["textDelta", "All"], ["finish", null]]);
  expect(done.stream).toMatchObject({ content: "All", isDone: true });
  expect(settle(done, "another").stream).toBeDefined();
  expect(settle(done, "d1").stream).toBeUndefined();
});

it("does not settle a document that has begun again", () => {
  const again = after([...begun("text"), ["finish", null], ...begun("text")]);
  expect(settle(again, "d1").stream).toBeDefined();
});

it("ignores what it does not know", () => {
  expect(
    after([
      ["chat-title", "Hi"],
      ["textDelta", "x"],
      ["finish", null],
    ]),
  ).toEqual(NOTHING);
  expect(after([["kind", "video"]])).toEqual(NOTHING);
});
