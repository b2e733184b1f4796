/*
 * A load by INSERTs of many rows, for a server that takes no files. Each is as long as the server allows, up to a limit
 * of ours; a row may be as long as a packet.
 */
#include "db/lines.h"
#include "db/mysql_inside.h"

#include "util/buffer.h"

#define INSERT_MAX   ((size_t)1024 * 1024)
#define PACKET_SLACK 64 /* of a packet that is not the statement */

struct inserting {
    struct mysql *my;
    const struct db_load *load;
    struct db_fault *fault;
    struct buffer sql;
    size_t n_head; /* bytes of "INSERT … VALUES " */
    size_t packet; /* the longest statement */
    int64_t n_rows, n_pending;
};

static int read_packet_size(struct inserting *in)
{
    _cleanup_free_ char *text = NULL;
    if (db_value(&in->my->base, "SELECT @@max_allowed_packet", 0, NULL, &text, in->fault) < 0)
        return -1;
    size_t packet = text ? strtoul(text, NULL, 10) : 0;
    in->packet = MAX(packet, 1024) - PACKET_SLACK;
    return 0;
}

static int too_large(struct inserting *in)
{
    return db_fault_set(in->fault, "", false,
        "%s: row %lld of the load into %s is longer than the server's max_allowed_packet takes: raise it, or "
        "allow "
        "local_infile",
        in->my->base.label, (long long)in->n_rows, in->load->table);
}

static int put_cell(struct inserting *in, const struct db_value *v)
{
    if (!v->p) {
        buffer_put_string(&in->sql, "NULL");
        return 0;
    }
    if (v->n > in->packet)
        return too_large(in);
    if (!buffer_reserve(&in->sql, 2 * v->n + 3))
        return db_fault_set(in->fault, "", true, "%s: no memory for a row", in->my->base.label);
    buffer_put_string(&in->sql, "'");
    in->sql.n += mysql_real_escape_string(in->my->conn, in->sql.p + in->sql.n, v->p, v->n);
    buffer_put_string(&in->sql, "'");
    return 0;
}

static int put_row(struct inserting *in, const struct db_value *values)
{
    size_t begin = in->sql.n;
    for (size_t i = 0; i < in->load->n_columns; i++) {
        buffer_put_string(&in->sql, i > 0 ? "," : "(");
        if (put_cell(in, &values[i]) < 0)
            return -1;
        if (in->sql.n - begin + in->n_head > in->packet)
            return too_large(in);
    }
    buffer_put_string(&in->sql, ")");
    in->n_pending++;
    return 0;
}

/* Sends the first n bytes, which hold n_rows. */
static int flush(struct inserting *in, size_t n, int64_t n_rows)
{
    if (n_rows == 0)
        return 0;
    if (mysql_real_query(in->my->conn, in->sql.p, n) != 0)
        return mysql_fault_here(in->my, NULL, 1, in->fault);
    in->n_pending -= n_rows;
    return mysql_check_rows(in->my, in->load, n_rows, in->fault);
}

/* One more row. Where it does not fit into the packet any more, those before it go alone. */
static int take_row(struct inserting *in, const struct db_value *values)
{
    size_t begin = in->sql.n;
    if (in->n_pending > 0)
        buffer_put_string(&in->sql, ",");
    if (put_row(in, values) < 0)
        return -1;
    if (in->sql.n > in->packet && in->n_pending > 1) {
        if (flush(in, begin, in->n_pending - 1) < 0)
            return -1;
        memmove(in->sql.p + in->n_head, in->sql.p + begin + 1, in->sql.n - begin - 1);
        in->sql.n -= begin + 1 - in->n_head;
    }
    if (in->sql.n > in->packet)
        return too_large(in);
    if (in->sql.n < MIN(INSERT_MAX, in->packet / 2))
        return 0;
    int result = flush(in, in->sql.n, in->n_pending);
    in->sql.n = in->n_head;
    return result;
}

static int take_rows(struct inserting *in)
{
    const struct db_value *values;
    int got;
    while ((got = db_load_next(in->load, &values, in->fault)) > 0) {
        in->n_rows++;
        if (take_row(in, values) < 0)
            return -1;
    }
    return got < 0 ? -1 : flush(in, in->sql.n, in->n_pending);
}

int mysql_insert(struct mysql *my, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct inserting in = {.my = my, .load = load, .fault = fault};
    _cleanup_free_ char *table = db_quote_name(&my->base, load->schema, load->table);
    _cleanup_free_ char *columns = db_quote_columns(&my->base, load);
    if (read_packet_size(&in) < 0)
        return -1;
    buffer_printf(&in.sql, "INSERT INTO %s (%s) VALUES ", table, columns);
    in.n_head = in.sql.n;
    int result = take_rows(&in);
    buffer_done(&in.sql);
    if (result == 0)
        *ret_rows = in.n_rows;
    return result;
}
