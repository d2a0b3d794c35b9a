"""What scripts configure sessions by. It is taken and not looked at: there is one place to compute, and nothing to trace."""

from __future__ import annotations

from typing import Any, ClassVar


class _Message:
    """Fields of known names, whose values change nothing."""

    _fields: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        for name in values.keys() - self._fields.keys():
            raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
        for name, default in self._fields.items():
            self.__dict__[name] = values.get(name, default() if callable(default) else default)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.__dict__[name] = value


class GPUOptions(_Message):
    """How a GPU's memory is used."""

    _fields: ClassVar = {
        "allow_growth": False, "allocator_type": "", "deferred_deletion_bytes": 0, "experimental": None,
        "force_gpu_compatible": False, "per_process_gpu_memory_fraction": 0.0, "polling_active_delay_usecs": 0,
        "polling_inactive_delay_msecs": 0, "visible_device_list": "",
    }  # fmt: skip


class ConfigProto(_Message):
    """How a session computes."""

    _fields: ClassVar = {
        "allow_soft_placement": False, "cluster_def": None, "device_count": dict, "device_filters": list, "experimental": None,
        "gpu_options": GPUOptions, "graph_options": None, "inter_op_parallelism_threads": 0, "intra_op_parallelism_threads": 0,
        "isolate_session_state": False, "log_device_placement": False, "operation_timeout_in_ms": 0, "placement_period": 0,
        "rpc_options": None, "session_inter_op_thread_pool": list, "share_cluster_devices_in_session": False,
        "use_per_session_threads": False,
    }  # fmt: skip


class RunOptions(_Message):
    """How a run is traced."""

    NO_TRACE, SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE = range(4)
    _fields: ClassVar = {
        "debug_options": None, "experimental": None, "inter_op_thread_pool": 0, "output_partition_graphs": False,
        "report_tensor_allocations_upon_oom": False, "timeout_in_ms": 0, "trace_level": 0,
    }  # fmt: skip


class RunMetadata(_Message):
    """What a run was measured to do: nothing is measured."""
