"""
A partner's providers by the million, each a pure function of a number: tables for Postgres, and the files that are dropped into a
bucket. Half of a file's rows are about providers of the tables; some percent are dirty.
"""
from vendor_people import N_FIRST, N_LAST, SPREAD, word

SITE_COLUMNS = ("care_site_id", "care_site_name", "place_of_service", "location_id")
PROVIDER_COLUMNS = ("provider_id", "provider_name", "npi", "specialty", "site_name", "source_id", "spec_source", "id_source")
FILE_HEADER = "ProviderName,ProviderID,NPI,Specialty,SiteName,SourceID,SpecSource,IDSource\n"
SPECIALTIES = (("Cardiology", "Cardiology"), ("Peds", "Pediatrics"), ("Neuro", "Neurology"), ("Oncology", "Oncology"),
               ("Ortho", "Orthopedics"), ("Derma", "Dermatology"), ("General Practice", "General Practice"), ("Int Med", "Internal Medicine"))
N_SITES = 5000


def npi(i):
    """Ten digits, the last of which is the check digit that Luhn's rule wants behind 80840."""
    body = 100_000_000 + i
    total, rest, twice = 24, body, True
    while rest:
        rest, digit = divmod(rest, 10)
        total += digit if not twice else digit * 2 - 9 * (digit > 4)
        twice = not twice
    return body * 10 + -total % 10


def site(k):
    return f"{word(k * 7919 % N_FIRST, 2)} {word(k * 104729 % N_LAST, 3)} {('Hospital', 'Clinic', 'Health', 'Med')[k % 4]}"


SITES = [f"{site(k)} {k}" for k in range(N_SITES)]


def names(i):
    h = i * SPREAD % (N_LAST * N_FIRST)
    return word(h // N_LAST, 2), word(h % N_LAST, 4)


def site_lines():
    """As COPY takes them."""
    for k, name in enumerate(SITES):
        yield f"{k + 1}\t{name}\tOffice\t{k + 70000}\n"


def provider_lines(n):
    for i in range(n):
        first, last = names(i)
        short, full = SPECIALTIES[i % 8]
        yield f"{i + 1}\t{first} {last}\t{npi(i)}\t{short}\t{SITES[i % N_SITES]}\tP{i + 1}\t{full}\tN{i + 1}\n"


def who(k, n):
    """Whom row k of all files is about."""
    if k % 100 == 6:
        k -= 1
    return k // 2 * 13 % n if k % 2 else n + k // 2


def file_lines(rows, n):
    """
    A file with these rows; every other one is about one of the n providers of the tables. Of a hundred two have a title, one has a
    specialty that nobody knows, one no NPI, one no name, one an initial, and one is about the same provider as the one before.
    """
    for k in rows:
        i, kind = who(k, n), k % 100
        first, last = names(i)
        short, full = ("Phrenology", "Phrenology") if kind == 2 else SPECIALTIES[i % 8]
        name = f"Dr. {first} {last}" if kind < 2 else "NULL" if kind == 4 else f"{first[0]}. {last}" if kind == 5 else f"{first} {last}"
        yield f"{name},{i + 1:03},{'NULL' if kind == 3 else npi(i)},{short},{SITES[i % N_SITES]},P{i + 1},{full},N{i + 1}\n"
