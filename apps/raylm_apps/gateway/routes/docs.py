"""/docs: the OpenAPI document as one page, without scripts and without a CDN."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.6 system-ui; max-width: 60rem; margin: 3rem auto; padding: 0 1rem }
section { border-top: 1px solid #8884; padding: .8rem 0 }
h2 { font-size: 1rem; margin: 0 } p { margin: .3rem 0 }
b { display: inline-block; min-width: 4.5rem }
"""
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(_page(request.app.openapi()))


def _page(document: dict[str, Any]) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    info = {name: escape(text) for name, text in document["info"].items()}
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{info["title"]}</title>'
        f"<style>{STYLE}</style><h1>{info['title']} {info['version']}</h1>"
        f"<p>{info['description']} Machine-readable: "
        f'<a href="/openapi.json">/openapi.json</a>.</p>{operations}</html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])}) "
        f"{escape(parameter.get('description', ''))}</li>"
        for parameter in operation.get("parameters", ())
    )
    return (
        f"<section><h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description') or operation['summary'])}</p>"
        f"<ul>{parameters}</ul></section>"
    )
