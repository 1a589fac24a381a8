"""A ragged batch as the compiled decoder takes it, and what it may find wrong with one."""

import torch

from raylm_kernels.cpu.binding import BatchStruct, Fault, FindingStruct

_FAULTS = {
    Fault.SEQUENCE_STARTS: "sequence_starts[{index}] is {found}; expected offsets that rise from 0 "
    "to the number of tokens ({limit})",
    Fault.TOKEN: "tokens[{index}] is {found}; expected a token id in [0, {limit})",
    Fault.POSITION: "positions[{index}] is {found}; expected {limit}: a sequence's positions "
    "start at 0 or above and rise by one",
    Fault.POSITION_BEYOND_TABLE: "positions of sequence {index} reach {found}; its row of "
    "block_tables covers positions below {limit}",
    Fault.BLOCK: "block_tables, flat index {index}, is {found}; expected a block in [0, {limit})",
    Fault.LOGIT_ROW: "logit_rows[{index}] is {found}; expected a row in [0, {limit})",
}


def batch_of(
    tokens_N: torch.Tensor,
    positions_N: torch.Tensor,
    sequence_starts_S1: torch.Tensor,
    block_tables_SB: torch.Tensor,
    logit_rows_R: torch.Tensor,
) -> BatchStruct:
    tokens = _checked("tokens", tokens_N, 1)
    positions = _checked("positions", positions_N, 1)
    starts = _checked("sequence_starts", sequence_starts_S1, 1)
    tables = _checked("block_tables", block_tables_SB, 2)
    rows = _checked("logit_rows", logit_rows_R, 1)
    # Not len(tensor), which calls Python: a step at batch 1 would spend a per cent on it.
    count, sequences = tokens.shape[0], starts.shape[0] - 1
    _expect("tokens", count >= 1, "at least one token", count)
    _expect("positions", positions.shape[0] == count, f"{count} values", positions.shape[0])
    _expect("sequence_starts", sequences >= 1, "at least two offsets", starts.shape[0])
    _expect("block_tables", tables.shape[0] == sequences, f"{sequences} rows", tables.shape[0])
    batch = BatchStruct(
        count,
        sequences,
        tables.shape[1],
        rows.shape[0],
        *(t.data_ptr() for t in (tokens, positions, starts, tables, rows)),
    )
    batch.tensors = tokens, positions, starts, tables, rows  # whose memory it borrows
    return batch


def require_no_fault(finding: FindingStruct) -> None:
    """Raises ValueError, naming the value that is wrong."""
    if finding.fault:
        text = _FAULTS[Fault(finding.fault)]
        raise ValueError(text.format(index=finding.index, found=finding.found, limit=finding.limit))


def _expect(name: str, ok: bool, expected: str, found: object) -> None:
    if not ok:
        raise ValueError(f"{name}: expected {expected}, found {found}")


def _checked(name: str, tensor: torch.Tensor, dimensions: int) -> torch.Tensor:
    if tensor.dtype is torch.int32 and tensor.is_cpu and tensor.ndim == dimensions:
        return tensor if tensor.is_contiguous() else tensor.contiguous()
    _expect(name, tensor.dtype == torch.int32, "dtype torch.int32", tensor.dtype)
    _expect(name, tensor.device.type == "cpu", "a CPU tensor", tensor.device)
    _expect(name, tensor.ndim == dimensions, f"{dimensions} dimension(s)", list(tensor.shape))
    return tensor.contiguous()
