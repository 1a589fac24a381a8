"""`fuse`: the library's ops put into a module of your own, in place of what they compute."""

from raylm_kernels.fusion.error import FusionError
from raylm_kernels.fusion.fusing import fuse
from raylm_kernels.fusion.report import Report

__all__ = ["FusionError", "Report", "fuse"]
