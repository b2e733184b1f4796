/*
 * One member of a zip, by libarchive, read from front to back: a zip's directory is at its end, so that what is in it is
 * known for sure only when all of it went by. Therefore a second member that could be meant too is a failure that comes
 * late; nobody keeps anything of a dump before its end.
 */
#include "fetch/inside.h"

#include "util/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>

#define NAMES_MAX     10 /* members that a message lists */
#define NAME_SHOWN    60
#define DIRECTORY_END 22 /* bytes of the "end of central directory" (APPNOTE 4.3.16) */
#define TAIL_MAX      (DIRECTORY_END + 65535)

enum zip_state { ZIP_SEARCHES, ZIP_IN_MEMBER, ZIP_DONE };

struct zip {
    struct unpacker base;
    struct archive *archive;
    locale_t utf8; /* libarchive has names of members in the locale alone */
    char *wanted;  /* or NULL */
    enum zip_state state;
    uint64_t n_entries;  /* of any kind, as they went by */
    uint64_t n_members;  /* files */
    struct buffer names; /* of the first of those that could be meant, for a message */
    size_t n_names;
    bool found;
    struct buffer tail;       /* the last bytes that went by */
    struct fetch_fault fault; /* of the wire, which libarchive cannot tell us */
};

static const char *label(const struct zip *z)
{
    return z->base.in->wire->label;
}

/* ---- its bytes ---- */

static void keep_tail(struct zip *z, struct slice bytes)
{
    if (bytes.n > TAIL_MAX)
        bytes = (struct slice){bytes.p + bytes.n - TAIL_MAX, TAIL_MAX};
    if (z->tail.n + bytes.n > TAIL_MAX)
        buffer_drop(&z->tail, z->tail.n + bytes.n - TAIL_MAX);
    buffer_put(&z->tail, bytes.p, bytes.n);
}

static la_ssize_t take_bytes(struct archive *a, void *arg, const void **ret_bytes)
{
    struct zip *z = arg;
    struct slice bytes;
    if (intake_take(z->base.in, &bytes, &z->fault) < 0) {
        archive_set_error(a, EIO, "the wire broke");
        return -1;
    }
    keep_tail(z, bytes);
    *ret_bytes = bytes.p;
    return (la_ssize_t)bytes.n;
}

static int failed(struct zip *z, struct fetch_fault *fault)
{
    if (z->fault.error.text[0]) {
        *fault = z->fault;
        return -1;
    }
    const char *why = archive_error_string(z->archive);
    return fetch_fault_set(fault, false,
        "%s is a zip that is damaged, cut off, or packed in a way that is not known here: %s", label(z),
        why ? why : "its data is broken");
}

static int begin(struct zip *z, struct fetch_fault *fault)
{
    if (z->archive)
        return 0;
    z->archive = archive_read_new();
    if (!z->archive)
        return fetch_fault_set(fault, false, "cannot unpack %s: no memory", label(z));
    if (archive_read_support_format_zip_streamable(z->archive) != ARCHIVE_OK ||
        archive_read_open(z->archive, z, NULL, take_bytes, NULL) != ARCHIVE_OK)
        return failed(z, fault);
    return 0;
}

/* ---- its members ---- */

static const char *entry_name(struct archive_entry *e)
{
    const char *name = archive_entry_pathname_utf8(e);
    if (!name)
        name = archive_entry_pathname(e);
    return name ? name : "(a name that cannot be read)";
}

/* What is a file of the zip's maker, and not of the machine it was made on. */
static bool is_member(struct archive_entry *e, const char *name)
{
    size_t n = strlen(name);
    return archive_entry_filetype(e) != AE_IFDIR && n > 0 && name[n - 1] != '/' &&
           strncmp(name, "__MACOSX/", 9) != 0;
}

bool fetch_is_member(const char *pattern, const char *name)
{
    return !strchr(pattern, '/') && glob_matches(pattern, name, NULL);
}

/* A pattern without a slash is about the name without its folders. */
static bool is_wanted(const struct zip *z, const char *name)
{
    if (!z->wanted)
        return true;
    return glob_matches(z->wanted, strchr(z->wanted, '/') ? name : fetch_last_parts(name, 0), NULL);
}

static void note_name(struct zip *z, const char *name)
{
    if (z->n_names < NAMES_MAX)
        buffer_printf(&z->names, "%s%.*s", z->n_names ? ", " : "", NAME_SHOWN, name);
    else if (z->n_names == NAMES_MAX)
        buffer_put_string(&z->names, ", …");
    z->n_names++;
}

static int several(struct zip *z, struct fetch_fault *fault)
{
    if (z->wanted)
        return fetch_fault_set(fault, false,
            "%s: several members of the zip are like %s: %s. Write a pattern that only one is like", label(z),
            z->wanted, buffer_string(&z->names));
    return fetch_fault_set(fault, false, "%s: the zip has several members; say which one is wanted: %s",
        label(z), buffer_string(&z->names));
}

static int none(struct zip *z, struct fetch_fault *fault)
{
    if (z->n_members == 0)
        return fetch_fault_set(fault, false, "%s: there is no file in the zip", label(z));
    return fetch_fault_set(fault, false, "%s: no member of the zip is like %s; it has %s", label(z),
        z->wanted, buffer_string(&z->names));
}

static int enter(struct zip *z, struct archive_entry *e, const char *name, struct fetch_fault *fault)
{
    if (archive_entry_is_encrypted(e))
        return fetch_fault_set(fault, false,
            "%s: the member %s of the zip is encrypted, and there is no password for it: have it made "
            "without",
            label(z), name);
    z->found = true;
    z->state = ZIP_IN_MEMBER;
    z->base.name = xstrdup(fetch_last_parts(name, 0));
    text_make_printable(z->base.name);
    return 0;
}

/* The directory at the end has to be there and to count as many entries as went by: what is damaged between two members
 * is skipped by libarchive without a word. */
static int check_directory(struct zip *z, struct fetch_fault *fault)
{
    const unsigned char *p = (const unsigned char *)z->tail.p;
    for (size_t i = z->tail.n >= DIRECTORY_END ? z->tail.n - DIRECTORY_END + 1 : 0; i-- > 0;) {
        if (memcmp(p + i, "PK\5\6", 4) != 0 ||
            i + DIRECTORY_END + p[i + 20] + ((size_t)p[i + 21] << 8) != z->tail.n)
            continue;
        uint64_t n = p[i + 10] | (uint64_t)p[i + 11] << 8;
        if (n == z->n_entries % 65536 || n == 65535)
            return 0;
        return fetch_fault_set(
            fault, false, "%s is a damaged zip: its directory does not list what is in it", label(z));
    }
    return fetch_fault_set(fault, false,
        "%s is a zip that is cut off: its directory, which is at its end, is missing", label(z));
}

/* The rest of the wire: its sum is of all of it. */
static int drain(struct zip *z, struct fetch_fault *fault)
{
    struct slice bytes;
    do {
        if (intake_take(z->base.in, &bytes, fault) < 0)
            return -1;
        keep_tail(z, bytes);
    } while (bytes.n > 0);
    return 0;
}

static int finish(struct zip *z, struct fetch_fault *fault)
{
    z->state = ZIP_DONE;
    if (drain(z, fault) < 0 || check_directory(z, fault) < 0)
        return -1;
    if (!z->found)
        return none(z, fault);
    return z->n_names > 1 ? several(z, fault) : 0;
}

/* To the member that is wanted, or behind it to the end. */
static int search(struct zip *z, struct fetch_fault *fault)
{
    struct archive_entry *e;
    int code = archive_read_next_header(z->archive, &e);
    if (code == ARCHIVE_EOF)
        return finish(z, fault);
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
        return failed(z, fault);
    z->n_entries++;
    const char *name = entry_name(e);
    if (!is_member(e, name))
        return 0;
    z->n_members++;
    bool wanted = is_wanted(z, name);
    if (wanted && !z->found) { /* what was noted before are those that are not it */
        buffer_reset(&z->names, 4096);
        z->n_names = 0;
    }
    if (wanted || !z->found) /* before it is found all are noted, for none() */
        note_name(z, name);
    if (z->found && z->n_names > NAMES_MAX)
        return several(z, fault);
    return wanted && !z->found ? enter(z, e, name, fault) : 0;
}

/* ---- the face ---- */

static ssize_t read_some(struct zip *z, char *p, size_t n, struct fetch_fault *fault)
{
    if (begin(z, fault) < 0)
        return -1;
    while (z->state != ZIP_DONE) {
        if (z->state == ZIP_SEARCHES) {
            if (search(z, fault) < 0)
                return -1;
            continue;
        }
        la_ssize_t got = archive_read_data(z->archive, p, n);
        if (got < 0)
            return failed(z, fault);
        if (got > 0)
            return got;
        z->state = ZIP_SEARCHES;
    }
    return 0;
}

static ssize_t zip_read(struct unpacker *u, char *p, size_t n, struct fetch_fault *fault)
{
    struct zip *z = (struct zip *)u;
    locale_t before = z->utf8 ? uselocale(z->utf8) : (locale_t)0;
    ssize_t got = read_some(z, p, n, fault);
    if (before)
        uselocale(before);
    return got;
}

static void zip_free(struct unpacker *u)
{
    struct zip *z = (struct zip *)u;
    archive_read_free(z->archive);
    if (z->utf8)
        freelocale(z->utf8);
    buffer_done(&z->names);
    buffer_done(&z->tail);
    free(z->base.name);
    free(z->wanted);
    free(z);
}

struct unpacker *zip_new(struct intake *in, const char *member)
{
    static const struct unpacker_driver driver = {zip_read, zip_free};
    struct zip *z = xnew(struct zip);
    z->base = (struct unpacker){.driver = &driver, .in = in};
    z->wanted = xstrdup(member);
    z->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return &z->base;
}
