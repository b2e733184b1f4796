"""
The vendor's users API of SYSTEMS, section 4: numbered pages, in practice by last name as typed, and as unkind as clinic_api.py.

    with VendorApi(users) as api:              # dicts, as they come in a page
        api.url("/api/v1/users")
        api.fault(7, [Status(500), Half()])    # what the next requests of page 7 get
        api.before = lambda page: …            # before each page is answered: what happens just then
    api.pages()                                # the numbers that were asked for, in order

A page past the end has an empty list. Users may be moved, inserted, renamed and deleted while they are read: api.change().
"""
import json

from clinic_api import Api, Request

USERS = "/api/v1/users"
MOST_PAGES = 1 << 31


class VendorRequest(Request):
    def route(self, api, path, query):
        page = query.get("page", "1")
        if path != USERS:
            return False
        if not page.isascii() or not page.isdigit() or not 1 <= int(page) < MOST_PAGES:
            self.reply(422, b'{"detail": "page is a number from 1"}')
            return True
        if api.before:
            api.before(int(page))
        self.act(int(page), api.render(int(page)))
        return True


class VendorApi(Api):
    """page_size None: one page has them all. shuffle: a random.Random; the order is its own then, and not by name."""
    request = VendorRequest

    def __init__(self, users, page_size=1000, shuffle=None):
        self.users = list(users)
        self.page_size = page_size or max(len(self.users), 1)
        self.shuffled = shuffle is not None
        self.before = None
        if shuffle:
            shuffle.shuffle(self.users)
        else:
            self._sort()
        super().__init__()

    def _sort(self):
        self.users.sort(key=lambda u: text(u, "lastname"))

    def change(self, function):
        """Calls it with the list of users, which it may alter; the order is kept after it."""
        with self.lock:
            function(self.users)
            if not self.shuffled:
                self._sort()

    def served(self):
        """All users, in the order in which the pages have them."""
        with self.lock:
            return list(self.users)

    def render(self, page):
        with self.lock:
            first = (page - 1) * self.page_size
            return json.dumps({"current_page": page, "total_pages": -(-len(self.users) // self.page_size),
                               "users": self.users[first:first + self.page_size]}, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def pages(self):
        with self.lock:
            return [int(query.get("page", 1)) for path, query, _ in self.requests if path == USERS]

    def forget(self):
        """The requests so far."""
        with self.lock:
            self.requests.clear()


def text(user, member):
    value = user.get(member) if isinstance(user, dict) else None
    return value if isinstance(value, str) else ""
