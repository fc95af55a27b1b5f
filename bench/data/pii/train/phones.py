"""Writes the numbering plans that internal/pii holds phone numbers to: libphonenumber's, of all countries, as the package
phonenumbers (Apache-2.0) has them. The same package gives the same file.

    pip install phonenumbers==9.0.43
    python phones.py internal/pii/phones.txt

A line: calling code, region, "main" for the region whose national prefix its calling code goes by, pattern of the national prefix,
what takes its place, pattern of any national number, patterns of those of each type.
"""

import pathlib
import sys

import phonenumbers
from phonenumbers.data import _AVAILABLE_NONGEO_COUNTRY_CODES, _AVAILABLE_REGION_CODES, _COUNTRY_CODE_TO_REGION_CODE

VERSION = "9.0.43"
TYPES = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan", "voicemail")


def line(plan, region: str) -> str:
    kinds = [getattr(plan, kind) for kind in TYPES]
    patterns = dict.fromkeys(k.national_number_pattern for k in kinds if k and k.national_number_pattern)
    prefix = plan.national_prefix_for_parsing or ""
    rule = plan.national_prefix_transform_rule or ""
    rule = "".join("${" + c + "}" if rule[i - 1 : i] == "\\" else c for i, c in enumerate(rule) if c != "\\")
    main = "main" if _COUNTRY_CODE_TO_REGION_CODE[plan.country_code][0] == region else ""
    return "\t".join((str(plan.country_code), region, main, prefix, rule, plan.general_desc.national_number_pattern, "|".join(patterns)))


def main() -> None:
    if phonenumbers.__version__ != VERSION:
        sys.exit(f"phonenumbers {VERSION} is needed, this is {phonenumbers.__version__}")
    plans = [(phonenumbers.PhoneMetadata.metadata_for_region(r, None), r) for r in _AVAILABLE_REGION_CODES]
    plans += [(phonenumbers.PhoneMetadata.metadata_for_nongeo_region(c, None), "001") for c in _AVAILABLE_NONGEO_COUNTRY_CODES]
    lines = [line(plan, region) for plan, region in plans]
    lines.sort(key=lambda s: (int(s.split("\t")[0]), s))
    pathlib.Path(sys.argv[1]).write_text("".join(s + "\n" for s in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
