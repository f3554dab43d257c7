"""Check that packages run on Lambda's provided.al2023 before they are uploaded.

A bootstrap linked against a newer glibc than that of Amazon Linux 2023 does not start, and Lambda reports that only at
the first invocation.
"""

import argparse
import struct
import sys
import zipfile

GLIBC_OF_AL2023 = (2, 34)
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ZIP_BYTES = 50 * 1024 * 1024
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
# ELF header, e_machine
MACHINES = {"x86_64": 62, "arm64": 183}

# Program header types and dynamic tags, from the specifications of ELF and of GNU symbol versioning
PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_VERNEED, DT_VERNEEDNUM = 5, 0x6FFFFFFE, 0x6FFFFFFF


class Elf:
    """The parts of a 64-bit little-endian ELF file that the checks need."""

    def __init__(self, content: bytes):
        if content[:6] != b"\x7fELF\x02\x01":
            raise ValueError("bootstrap is not a 64-bit little-endian ELF file")
        self.content = content
        self.machine = self._read("<H", 18)[0]
        offset, size, count = (
            self._read("<Q", 32)[0],
            *self._read("<HH", 54),
        )
        # p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
        self.segments = [self._read("<IIQQQQQQ", offset + i * size) for i in range(count)]

    def needed_versions(self) -> set[str]:
        """Returns the symbol versions required from shared libraries, such as GLIBC_2.28."""
        dynamic = self._dynamic()
        if DT_VERNEED not in dynamic:
            return set()
        strings = self._offset(dynamic[DT_STRTAB])
        versions = set()
        entry = self._offset(dynamic[DT_VERNEED])
        for _ in range(dynamic[DT_VERNEEDNUM]):
            _, names, _, first, following = self._read("<HHIII", entry)
            name = entry + first
            for _ in range(names):
                _, _, _, text, next_name = self._read("<IHHII", name)
                start = strings + text
                end = self.content.index(b"\0", start)
                versions.add(self.content[start:end].decode())
                name += next_name
            entry += following
        return versions

    def _dynamic(self) -> dict[int, int]:
        for kind, _, offset, _, _, size, _, _ in self.segments:
            if kind == PT_DYNAMIC:
                tags = (self._read("<QQ", offset + i) for i in range(0, size, 16))
                return dict(tags)
        return {}

    def _offset(self, address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in self.segments:
            if kind == PT_LOAD and start <= address < start + size:
                return address - start + offset
        raise ValueError(f"no segment holds the address {address:#x}")

    def _read(self, layout: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(layout, self.content, offset)


def newest_glibc(versions: set[str]) -> tuple[int, ...]:
    """Returns the newest GLIBC_x.y among symbol versions, or (0,) for a static binary."""
    numbers = (version.removeprefix("GLIBC_") for version in versions if version.startswith("GLIBC_"))
    return max((tuple(map(int, number.split("."))) for number in numbers if number[0].isdigit()), default=(0,))


def problems(path: str, arch: str) -> tuple[str, list[str]]:
    """Returns a short description of the package, and everything that is wrong with it."""
    found = []
    with zipfile.ZipFile(path) as package:
        infos = package.infolist()
        names = {info.filename for info in infos}
        if "bootstrap" not in names:
            return "", ["holds no bootstrap"]
        if not package.getinfo("bootstrap").external_attr >> 16 & 0o111:
            found.append("bootstrap is not executable")
        if not any(name.startswith("meta_data/") and name.endswith(".json") for name in names):
            found.append("holds no meta_data/*.json")
        elf = Elf(package.read("bootstrap"))
    zipped = sum(info.compress_size for info in infos)
    unzipped = sum(info.file_size for info in infos)
    glibc = newest_glibc(elf.needed_versions())
    if elf.machine != MACHINES[arch]:
        found.append(f"bootstrap is not for {arch} (ELF machine {elf.machine})")
    if glibc > GLIBC_OF_AL2023:
        found.append(f"bootstrap needs glibc {dotted(glibc)}; provided.al2023 has {dotted(GLIBC_OF_AL2023)}")
    if zipped >= MAX_ZIP_BYTES:
        found.append(f"{zipped} bytes zipped; Lambda takes less than {MAX_ZIP_BYTES}")
    if unzipped >= MAX_UNZIPPED_BYTES:
        found.append(f"{unzipped} bytes unzipped; Lambda takes less than {MAX_UNZIPPED_BYTES}")
    return f"{arch}, glibc {dotted(glibc)}, {zipped / 1e6:.1f} MB zipped, {unzipped / 1e6:.1f} MB", found


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=MACHINES, required=True)
    parser.add_argument("zips", nargs="+", metavar="ZIP")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.zips:
        summary, found = problems(path, arguments.arch)
        print(f"{path}: {summary or '; '.join(found)}")
        for problem in found:
            print(f"{path}: {problem}", file=sys.stderr)
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
