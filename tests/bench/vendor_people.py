"""
Our users and the vendor's by the million, each a pure function of a number, so that both sides are made without looking at the other.
About 3 in 100 of ours share their name with another; 19 in 20 of the vendor's are ours, in other letters and blanks.
"""
SYLLABLES = "ba ber car don el fin gar hol in jo kam lin mar nor ol per quin ros san tal".split()
N_LAST, N_FIRST = 20 ** 4, 20 ** 2
SPREAD = 2654435761  # prime to N_LAST * N_FIRST: every number has a name of its own, and neighbours are nowhere near
LOCATIONS = [f"{a}_{b}" for a in SYLLABLES for b in "north south east west hill".split()]
SPECIALTIES = ("cardiology family_medicine psychology internal_medicine general_surgery radiology neurology pediatrics"
               " emergency_medicine dermatology").split()
CLASSES = "Leader Contributor Popular Other".split()
N_PRACTICES = 500
STRANGERS = 30_000_000


def word(n, syllables):
    letters = ""
    for _ in range(syllables):
        n, at = divmod(n, 20)
        letters += SYLLABLES[at]
    return letters.capitalize()


def person(i):
    """The name of number i."""
    h = (i - (i % 60 == 0)) * SPREAD % (N_LAST * N_FIRST)
    return word(h // N_LAST, 2), word(h % N_LAST, 4)


def traits(i):
    """Practice, specialty, classification, date."""
    day = i * 7 % 400
    return i % N_PRACTICES + 1, SPECIALTIES[i // 3 % 10], CLASSES[i // 7 % 4], f"201{6 + (day > 330)}-{day % 12 + 1:02}-{day % 28 + 1:02}"


def location(practice):
    return LOCATIONS[practice % len(LOCATIONS)]


def our_lines(n):
    """As LOAD DATA takes them. One in a hundred has no practice."""
    for i in range(1, n + 1):
        first, last = person(i)
        practice, specialty, klass, date = traits(i)
        yield f"{i}\t{first}\t{last}\t{klass}\t{specialty}\tmobile\t{practice if i % 100 else chr(92) + 'N'}\t{date}\n"


def their_users(m, n):
    """(last name as typed, a user as JSON) of m, whose platform has n of ours."""
    for j in range(m):
        i = j * n // m + 1 if j % 20 else STRANGERS + j
        first, last = person(i)
        if j % 3 == 0:
            first, last = first.upper(), last.lower()
        if j % 7 == 0:
            first, last = f" {first}", f"{last}  "
        practice, specialty, klass, date = traits(i)
        yield last, (f'{{"id":{j + 1},"firstname":"{first}","lastname":"{last}","practice_location":"{location(practice)}",'
                     f'"specialty":"{specialty.replace("_", " ").title()}","user_type_classification":"{klass}",'
                     f'"last_active_date":"{date}"}}')
