"""`raylm generate` and `raylm chat`: the engine in this process, no server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raylm.core.sampling import FinishReason, SamplingParams
from raylm.core.schema import ServeConfig
from raylm_apps.cli.output import Json, echo_json

if TYPE_CHECKING:
    from raylm.infer.async_engine import AsyncLLM

Model = Annotated[str, typer.Option(envvar="RAYLM_MODEL", help="A name, folder, GGUF or run.")]
MaxTokens = Annotated[int, typer.Option(help="Stop after this many tokens.")]
Temperature = Annotated[float, typer.Option(help="0 is greedy.")]
TopP = Annotated[float, typer.Option(help="Keep the likeliest tokens of this total mass.")]
Seed = Annotated[int | None, typer.Option(help="Makes sampling reproducible.")]
Quantization = Annotated[str, typer.Option(help="auto, none, int8 or int4.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads of the engine.")]


def register(app: typer.Typer) -> None:
    app.command()(generate)
    app.command()(chat)


def generate(
    prompt: Annotated[str, typer.Argument(help="What to say to the model.")],
    model: Model = "smollm2",
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    seed: Seed = None,
    stop: Annotated[list[str] | None, typer.Option(help="Stop at this text; repeatable.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Continue the text as it is: no chat template.")
    ] = False,
    quantization: Quantization = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Answer one prompt.

    Example: raylm generate --model smollm2 "Name the capital of Italy." --temperature 0
    """
    params = SamplingParams(
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=tuple(stop or ()),
    )
    config = ServeConfig.load({"model": model, "quantization": quantization, "threads": threads})
    asyncio.run(_generate(config, prompt, params, raw=raw, json=json))


def chat(
    model: Model = "smollm2",
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    quantization: Quantization = "auto",
    threads: Threads = None,
) -> None:
    """Chat in the terminal. /new starts over, /exit leaves, Ctrl-C stops an answer.

    Example: raylm chat --model smollm2
    """
    params = SamplingParams(max_tokens=max_tokens, temperature=temperature, top_p=top_p)
    config = ServeConfig.load({"model": model, "quantization": quantization, "threads": threads})
    with asyncio.Runner() as runner:
        opened = _engine(config)
        engine = runner.run(opened.__aenter__())
        try:
            typer.secho(f"{engine.model_name}: /new starts over, /exit leaves.", dim=True)
            _converse(runner, engine, params)
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def _generate(
    config: ServeConfig, prompt: str, params: SamplingParams, *, raw: bool, json: bool
) -> None:
    async with _engine(config) as engine:
        messages = [{"role": "user", "content": prompt}]
        text, finish = "", None
        async for delta in engine.stream(_token_ids(engine, prompt, messages, raw), params):
            text += delta.text
            finish = delta.finish_reason
            if not json:
                typer.echo(delta.text, nl=False)
        echo_json({"text": text, "finish_reason": finish}) if json else typer.echo()


def _converse(runner: asyncio.Runner, engine: "AsyncLLM", params: SamplingParams) -> None:
    messages: list[dict[str, Any]] = []
    while (line := _ask()) != "/exit":
        if line == "/new":
            messages.clear()
        elif line:
            messages.append({"role": "user", "content": line})
            answer = _answer(runner, engine, messages, params)
            messages.append({"role": "assistant", "content": answer})


def _answer(
    runner: asyncio.Runner,
    engine: "AsyncLLM",
    messages: list[dict[str, Any]],
    params: SamplingParams,
) -> str:
    ids = _token_ids(engine, messages[-1]["content"], messages, raw=False)
    said: list[str] = []

    async def speak() -> None:
        async for delta in engine.stream(ids, params):
            said.append(delta.text)
            typer.echo(delta.text, nl=False)
            if delta.finish_reason is FinishReason.LENGTH:
                typer.secho(" [cut at the token limit]", dim=True, nl=False)

    try:
        runner.run(speak())
    except KeyboardInterrupt:  # keep what was said and go on chatting
        typer.secho(" [stopped]", dim=True, nl=False)
    typer.echo()
    return "".join(said)


def _ask() -> str:
    try:
        return input("> ").strip()
    except EOFError:
        return "/exit"


def _token_ids(
    engine: "AsyncLLM", prompt: str, messages: list[dict[str, Any]], raw: bool
) -> list[int]:
    if raw or engine.chat_template is None:
        return engine.tokenizer.encode(prompt, add_special_tokens=True)
    return engine.tokenizer.encode(engine.chat_template.render(messages))


@asynccontextmanager
async def _engine(config: ServeConfig) -> AsyncIterator["AsyncLLM"]:
    from raylm.infer.async_engine import AsyncLLM

    engine = AsyncLLM(config)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.shutdown()
