"""Writes the lists of names that training uses, from the locales of Faker (MIT), one value per line, sorted: the same package
gives the same files.

    pip install Faker==40.54.0
    python lists.py DIRECTORY
"""

import importlib
import pathlib
import pkgutil
import sys
import unicodedata

import faker
import faker.providers.address
import faker.providers.company
import faker.providers.job
import faker.providers.person

VERSION = "40.54.0"

LISTS = {
    "given": (faker.providers.person, ("first_names", "first_names_male", "first_names_female", "first_names_nonbinary", "first_names_unisex")),
    "family": (faker.providers.person, ("last_names", "last_names_male", "last_names_female", "unisex_last_names")),
    "places": (faker.providers.address, ("cities", "city_names", "countries", "municipalities", "towns", "states", "provinces")),
    "streets": (faker.providers.address, ("streets", "street_names", "street_titles")),
    "streetwords": (faker.providers.address, ("street_suffixes", "street_prefixes", "street_suffixes_short", "street_suffixes_long")),
    "companies": (faker.providers.company, ("large_companies", "company_names", "companies")),
    "companywords": (faker.providers.company, ("company_suffixes", "company_prefixes")),
}  # fmt: skip


def latin(text: str) -> bool:
    """Whether every letter is Latin: other scripts are told by their shape."""
    return all(not c.isalpha() or unicodedata.name(c, "").startswith("LATIN") for c in text)


def values(module, names) -> set[str]:
    out: set[str] = set()
    for entry in pkgutil.iter_modules(module.__path__):
        provider = importlib.import_module(f"{module.__name__}.{entry.name}").Provider
        for name in names:
            listed = getattr(provider, name, None)
            for value in listed if isinstance(listed, tuple | list | dict) else ():
                value = value[-1] if isinstance(value, tuple | list) else value
                if isinstance(value, str) and "{" not in value and latin(value):
                    out.add(" ".join(value.split()))
    return out - {""}


def main() -> None:
    if faker.VERSION != VERSION:
        sys.exit(f"Faker {VERSION} is needed, this is {faker.VERSION}")
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, (module, names) in LISTS.items():
        (target / f"{name}.txt").write_text("".join(v + "\n" for v in sorted(values(module, names))), encoding="utf-8")
    jobs = importlib.import_module("faker.providers.job.en_US").Provider.jobs
    (target / "jobs.txt").write_text("".join(v + "\n" for v in sorted(set(jobs))), encoding="utf-8")


main()
