"""What macOS and Windows tell about processor and memory, through their C libraries.

Every function raises OSError, AttributeError or ValueError where the system does not answer; the
callers turn that into a note.
"""

import ctypes
import sys

if sys.platform == "darwin":
    _X86_LEAF7 = {"AVX2": "avx2", "AVX512F": "avx512f", "AVX512VNNI": "avx512_vnni"}
    _ARM_OPTIONS = {
        "hw.optional.neon": "neon",
        "hw.optional.AdvSIMD": "neon",
        "hw.optional.arm.FEAT_DotProd": "dotprod",
        "hw.optional.arm.FEAT_I8MM": "i8mm",
        "hw.optional.arm.FEAT_BF16": "bf16",
    }
    _HOST_VM_INFO64, _VM_INFO64_WORDS = 4, 38  # mach/host_info.h

    def _sysctl(name: str) -> bytes:
        system = ctypes.CDLL("/usr/lib/libSystem.dylib", use_errno=True)
        size = ctypes.c_size_t()
        if system.sysctlbyname(name.encode(), None, ctypes.byref(size), None, 0):
            raise OSError(ctypes.get_errno(), name)
        value = ctypes.create_string_buffer(size.value)
        if system.sysctlbyname(name.encode(), value, ctypes.byref(size), None, 0):
            raise OSError(ctypes.get_errno(), name)
        return value.raw[: size.value]

    def _number(name: str) -> int:
        return int.from_bytes(_sysctl(name), "little")

    def _has(name: str) -> bool:
        try:
            return _number(name) == 1
        except OSError:  # unknown to this version of macOS
            return False

    def mac_cpu() -> tuple[str, frozenset[str], int | None]:
        """(name, flags, physical cores). Of Apple's chips only the performance cores count."""
        name = _sysctl("machdep.cpu.brand_string").rstrip(b"\0").decode(errors="replace")
        flags = {flag for option, flag in _ARM_OPTIONS.items() if _has(option)}
        try:
            cores = _number("hw.perflevel0.physicalcpu")
        except OSError:
            cores = _number("hw.physicalcpu")
            words = _sysctl("machdep.cpu.leaf7_features").rstrip(b"\0").decode().split()
            flags |= {_X86_LEAF7[word] for word in words if word in _X86_LEAF7}
        return name, frozenset(flags), cores

    def mac_memory() -> tuple[int, int]:
        """(total, available) bytes; free and inactive pages are available."""
        system = ctypes.CDLL("/usr/lib/libSystem.dylib", use_errno=True)
        words = (ctypes.c_uint32 * _VM_INFO64_WORDS)()
        count = ctypes.c_uint32(_VM_INFO64_WORDS)
        host = system.mach_host_self()
        if system.host_statistics64(
            host, _HOST_VM_INFO64, ctypes.byref(words), ctypes.byref(count)
        ):
            raise OSError("host_statistics64 failed")
        free, inactive = words[0], words[2]  # vm_statistics64: free, active, inactive, wired ...
        return _number("hw.memsize"), (free + inactive) * _number("hw.pagesize")


if sys.platform == "win32":
    # winnt.h: PF_AVX2, PF_AVX512F, PF_ARM_NEON, PF_ARM_V82_DP
    _FEATURES = {40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod"}
    _RELATION_CORE = 0

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of sysinfoapi.h."""

        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            ("total", ctypes.c_uint64),
            ("available", ctypes.c_uint64),
            ("rest", ctypes.c_uint64 * 5),
        )

    class _Core(ctypes.Structure):
        """SYSTEM_LOGICAL_PROCESSOR_INFORMATION of winnt.h."""

        _fields_ = (
            ("mask", ctypes.c_size_t),
            ("relation", ctypes.c_int),
            ("rest", ctypes.c_uint64 * 2),
        )

    def windows_cpu() -> tuple[str, frozenset[str], int | None]:
        """(name, flags, physical cores that the process may run on)."""
        import winreg

        place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        flags = {
            flag for number, flag in _FEATURES.items() if kernel.IsProcessorFeaturePresent(number)
        }
        return name, frozenset(flags), _cores(kernel)

    def _cores(kernel: ctypes.WinDLL) -> int | None:
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        mine, system = ctypes.c_size_t(), ctypes.c_size_t()
        kernel.GetProcessAffinityMask(process, ctypes.byref(mine), ctypes.byref(system))
        size = ctypes.c_uint32()
        kernel.GetLogicalProcessorInformation(None, ctypes.byref(size))
        entries = (_Core * (size.value // ctypes.sizeof(_Core)))()
        if not kernel.GetLogicalProcessorInformation(entries, ctypes.byref(size)):
            raise OSError(ctypes.get_last_error(), "GetLogicalProcessorInformation")
        allowed = mine.value or ~0
        cores = [e for e in entries if e.relation == _RELATION_CORE and e.mask & allowed]
        return len(cores) or None

    def windows_memory() -> tuple[int, int]:
        """(total, available) bytes."""
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
            raise OSError(ctypes.get_last_error(), "GlobalMemoryStatusEx")
        return status.total, status.available
