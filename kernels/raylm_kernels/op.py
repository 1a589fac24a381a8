"""Op: a function in plain PyTorch made an operator of torch, served by what the registry chooses.

It works under torch.compile, for it has a fake kernel and, where it is differentiable, an operator
`NAME_backward` of its own, of which there may be implementations too.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from inspect import signature
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

import raylm_kernels.registry as registry
from raylm_kernels.arguments import require_one_device
from raylm_kernels.implementation import tensors_in

_Function = TypeVar("_Function", bound=Callable[..., Any])
_NAMESPACE = "raylm"
_library = torch.library.Library(_NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call]


def op(
    *,
    mutates: Collection[str] = (),
    gradients: Collection[str] = (),
    check: Callable[..., None] | None = None,
    fake: Callable[..., Any] | None = None,
    backward: Callable[..., list[Tensor]] | None = None,
    keeps_results: bool = False,
) -> Callable[[_Function], _Function]:
    """Makes the decorated function the reference of a new op of its name.

    `mutates`: arguments it changes. `gradients`: arguments that it is differentiable by.
    `check(*arguments)` raises where they do not fit together, before any implementation is asked.
    `fake(*arguments)`: results without values, where the reference itself needs values.
    `backward(grads, *arguments)`: the gradients, where torch's differentiation of the reference
    would hold too much. `keeps_results`: the backward pass is handed the results, too:
    `NAME_backward(grads, results, *arguments)`.
    """

    def decorate(reference: _Function) -> _Function:
        made = Op(reference, mutates, gradients, check, fake, backward, keeps_results)
        return cast(_Function, made)

    return decorate


class Op:
    def __init__(
        self,
        reference: Callable[..., Any],
        mutates: Collection[str] = (),
        gradients: Collection[str] = (),
        check: Callable[..., None] | None = None,
        fake: Callable[..., Any] | None = None,
        backward: Callable[..., list[Tensor]] | None = None,
        keeps_results: bool = False,
    ) -> None:
        update_wrapper(self, reference)
        self.name = reference.__name__
        self.reference = reference
        self._check, self._fake = check, fake or reference
        self._names = tuple(signature(reference).parameters)
        places = {name: place for place, name in enumerate(self._names)}
        self._wanted = tuple(places[name] for name in gradients)
        self._kept = int(keeps_results)
        changed = [places[name] for name in mutates]
        registry.define(self.name, reference, changed, self._wanted, keeps_results)
        schema = torch.library.infer_schema(reference, mutates_args=list(mutates))
        _define(self.name, schema, self._serve, self._pretend)
        if gradients:
            self._define_backward(schema, backward or self._recompute)
        self._overload = getattr(torch.ops.raylm, self.name).default

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._overload(*args, **kwargs)

    def _serve(self, *args: Any) -> Any:
        return _contiguous(registry.call(self.name, self._complete(args)))

    def _pretend(self, *args: Any) -> Any:
        return _contiguous(self._fake(*self._complete(args)))

    def _complete(
        self, args: Sequence[Any], grads: Sequence[Tensor | None] = ()
    ) -> tuple[Any, ...]:
        """The dispatcher leaves out the last ones where they are the defaults."""
        whole = registry.entry(self.name).complete(args)
        require_one_device(self.name, (*self._names, "grads"), (*whole, grads))
        if self._check is not None:
            self._check(*whole)
        return whole

    def _define_backward(self, schema: str, reference: Callable[..., list[Tensor]]) -> None:
        name = f"{self.name}_backward"
        registry.define(name, reference)
        results = "Tensor[] results, " * self._kept
        arguments = schema.rpartition(" -> ")[0][1:-1]

        def serve(grads: Sequence[Tensor | None], *given: Any) -> Any:
            kept, args = self._parted(given)
            return _contiguous(registry.call(name, (grads, *kept, *self._complete(args, grads))))

        def pretend(grads: Sequence[Tensor | None], *given: Any) -> list[Tensor]:
            return [_empty_like(t) for t in self._leaves(self._complete(self._parted(given)[1]))]

        _define(name, f"(Tensor?[] grads, {results}{arguments}) -> Tensor[]", serve, pretend)
        backward = getattr(torch.ops.raylm, name).default

        def setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            results = tensors_in((output,)) if self._kept else []
            ctx.save_for_backward(*[a for a in inputs if isinstance(a, Tensor)], *results)
            ctx.others = [None if isinstance(a, Tensor) else (a,) for a in inputs]
            ctx.set_materialize_grads(False)

        def run(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
            if all(grad is None for grad in grads):
                return (None,) * len(ctx.others)
            saved = iter(ctx.saved_tensors)
            args = [next(saved) if other is None else other[0] for other in ctx.others]
            kept = [list(saved)] * self._kept
            with torch.no_grad():
                gradients = backward(list(grads), *kept, *args)
            leaning = [t for t in tensors_in((*grads, *args)) if t.requires_grad]
            if torch.is_grad_enabled() and leaning:  # create_graph: somebody may ask for more
                gradients = _Once.apply(  # type: ignore[no-untyped-call]
                    self.name, len(gradients), *gradients, *leaning
                )
            found = iter(gradients)
            by_place = {place: next(found) for place in self._wanted if args[place] is not None}
            return tuple(by_place.get(place) for place in range(len(args)))

        torch.library.register_autograd(
            f"{_NAMESPACE}::{self.name}", run, setup_context=setup, lib=_library
        )

    def _parted(self, given: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """What is handed to the backward pass: the results, if they are, and the arguments."""
        return given[: self._kept], given[self._kept :]

    def _leaves(self, args: Sequence[Any]) -> list[Tensor]:
        return [args[place] for place in self._wanted if args[place] is not None]

    def _recompute(self, grads: Sequence[Tensor | None], *given: Any) -> list[Tensor]:
        """The gradients by torch's own differentiation of the reference."""
        _, args = self._parted(given)
        places = [place for place in self._wanted if args[place] is not None]
        with _differentiating():
            leaves = {place: args[place].detach().requires_grad_() for place in places}
            results = self.reference(*[leaves.get(p, arg) for p, arg in enumerate(args)])
            results = results if isinstance(results, tuple) else (results,)
            pairs = [
                (result, grad)
                for result, grad in zip(results, grads, strict=True)
                if grad is not None and result.requires_grad
            ]
            found = torch.autograd.grad(
                [result for result, _ in pairs],
                list(leaves.values()),
                [grad for _, grad in pairs],
                allow_unused=True,
                materialize_grads=True,
            )
        return list(found)


class _Once(torch.autograd.Function):
    """Gradients that must not be differentiated: without it they would be constants in silence."""

    @staticmethod
    def forward(ctx: Any, name: str, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.name = name
        return tuple(t.view_as(t) for t in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> None:
        raise RuntimeError(
            f"{ctx.name} has no second derivative; leave out create_graph=True, or call "
            f"raylm_kernels.{ctx.name}.reference, plain PyTorch that can be differentiated twice"
        )


def _contiguous(results: Any) -> Any:
    """Whoever has computed them, for what is compiled relies on their strides."""
    if isinstance(results, list | tuple):
        return type(results)(map(_contiguous, results))
    return None if results is None else results.contiguous()


def _empty_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _define(name: str, schema: str, serve: Callable[..., Any], pretend: Callable[..., Any]) -> None:
    _library.define(f"{name}{schema}")  # type: ignore[no-untyped-call]
    _library.impl(name, serve, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"{_NAMESPACE}::{name}", pretend, lib=_library)


@contextmanager
def _differentiating() -> Iterator[None]:
    """An operator's kernel runs below torch's autograd; inside, what it calls is above it again."""
    included = torch._C._dispatch_tls_local_include_set()
    excluded = torch._C._dispatch_tls_local_exclude_set() - _autograd_keys()
    with torch._C._ForceDispatchKeyGuard(included, excluded), torch.enable_grad():
        yield


def _autograd_keys() -> torch._C.DispatchKeySet:
    key = torch._C.DispatchKey
    keys = torch._C.DispatchKeySet(key.AutogradFunctionality)
    for other in (key.AutogradOther, key.AutogradCPU, key.AutogradCUDA, key.ADInplaceOrView):
        keys = keys | torch._C.DispatchKeySet(other)
    return keys
