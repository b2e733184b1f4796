"""
Dirty providers at random, over several deliveries: the same people again and again in other spellings, with ids and NPIs that are missing, wrong or
another's, and what partners write into such files.
"""
import random

from harmonize_site import npi

FIRST = ["Ada", "Björn", "Chloé", "Dan", "Eve", "Fyodor", "Gül", "Hà", "İpek", "Jo-Ann", "J", "Ken Lee"]
LAST = ["Ashe", "de la Cruz", "O'Neil", "Straße", "Ng", "Łukasz", "Müller-Lüdenscheidt", "Smith, Jr.", "Wu", "MD", "X"]
SPECIALTIES = ["Cardiology", "Peds", "pediatrics", "Neuro ", "Oncology", "ORTHO", "Derma", "General Practice", "Int  Med", "Phrenology", "Sales", None,
               "", "x" * 60]
SITES = ["City Hospital", "Village Clinic", "Metro Med", "North Health Inst", "north health institute", "City Hosp.", "  City   Hospital ",
         "Univ Ctr", "Dept. of Health", None, "", "NULL", "ŒUVRE Clin", "y" * 60]
TITLES = ["Dr. {}", "DR {}", "Prof. Dr. {}", "{}, MD", "{}, M.D.", "Ms {}", "Dr.{}", "{} , PhD, MD", "Mr. Mrs. {}"]
BAD_NPIS = [None, "", "NULL", "12345", "123456789X", "12345678901", " {} ", "N/A", "{}0", "1234 567 890", "0000000000", " 9999999999", "٣٤٥٦٧٨٩٠١٢"]


class People:
    def __init__(self, draw, n):
        self.draw = draw
        self.all = [self._one(i) for i in range(1, n + 1)]

    def _one(self, i):
        d = self.draw
        return {"number": i, "first": d.choice(FIRST), "last": d.choice(LAST), "npi": npi(i) if d.random() < 0.9 else "0" + npi(i)[1:],
                "specialty": d.choice(SPECIALTIES[:8]), "site": d.choice(SITES[:5]), "source_id": f"AD{i:03}"}

    def name(self, p):
        """As somebody writes it."""
        d, full = self.draw, f"{p['first']} {p['last']}"
        kind = d.random()
        if kind < 0.55:
            return full
        if kind < 0.75:
            return d.choice(TITLES).format(full)
        if kind < 0.87:
            return d.choice([f"{p['first'][0]}. {p['last']}", f"{p['first']} {p['last'][0]}.", f"{p['first'][0]} {p['last']}"])
        if kind < 0.95:
            return d.choice([f"  {full.replace(' ', '  ')}\t", full.upper(), f"{full}é", full + "\u00a0"])
        return d.choice([None, "", "NULL", "Dr.", " ", "z" * 300])

    def row(self):
        """One row of a file about somebody, or about who knows whom."""
        d = self.draw
        p, other = d.choice(self.all), d.choice(self.all)
        npi_text = p["npi"] if d.random() < 0.8 else other["npi"] if d.random() < 0.2 else d.choice(BAD_NPIS)
        source_id = p["source_id"] if d.random() < 0.85 else other["source_id"] if d.random() < 0.2 else d.choice([None, "", "NULL", "q" * 60])
        specialty = p["specialty"] if d.random() < 0.6 else d.choice(SPECIALTIES)
        return {"ProviderName": self.name(p), "ProviderID": d.choice([f"{p['number']:03}"] * 9 + [None]),
                "NPI": npi_text and npi_text.format(p["npi"]), "Specialty": specialty, "SiteName": p["site"] if d.random() < 0.6 else d.choice(SITES), "SourceID": source_id,
                "SpecSource": d.choice([specialty, None, d.choice(SPECIALTIES)]), "IDSource": f"AD{p['number']:03}-NPI"}

    def table_row(self, key):
        """The same as a row of the table."""
        r = self.row()
        return {"provider_id": key, "provider_name": r["ProviderName"], "npi": r["NPI"], "specialty": r["Specialty"], "site_name": r["SiteName"],
                "source_id": r["SourceID"], "spec_source": r["SpecSource"], "id_source": r["IDSource"]}


def people(seed, n=40):
    return People(random.Random(seed), n)
