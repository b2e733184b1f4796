#include "source/rest_inside.h"

/* "Z" and "+00:00" behind a time would come before its fraction. */
static struct slice without_zone(struct slice s)
{
    if (s.n > 0 && (s.p[s.n - 1] == 'Z' || s.p[s.n - 1] == 'z'))
        s.n--;
    else if (s.n > 6 && memcmp(s.p + s.n - 6, "+00:00", 6) == 0)
        s.n -= 6;
    return s;
}

/* Digits of a whole number without its leading zeros; 0: it begins with none. */
static size_t whole_digits(struct slice *s)
{
    size_t n = 0;
    while (s->n > 1 && s->p[0] == '0' && s->p[1] >= '0' && s->p[1] <= '9')
        s->p++, s->n--;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    return n == s->n || s->p[n] == '.' ? n : 0;
}

int rest_compare(struct slice a, struct slice b)
{
    struct slice x = a, y = b;
    size_t digits_a = whole_digits(&x), digits_b = whole_digits(&y);
    if (digits_a && digits_b) {
        a = x;
        b = y;
        if (digits_a != digits_b)
            return digits_a < digits_b ? -1 : 1;
    }
    a = without_zone(a);
    b = without_zone(b);
    int d = memcmp(a.p, b.p, MIN(a.n, b.n));
    return d ? d : (a.n > b.n) - (a.n < b.n);
}
