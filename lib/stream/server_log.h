#pragma once
/*
 * Would the server write our rows into its own log? Not by default; but where statements are logged (all of them, or
 * slow ones), their parameters are too, unless log_parameter_max_length is 0, and only a superuser can set that.
 */
struct pg_session;

/* Asks over a ready session and calls fn once: NULL when nothing is to be feared or the server could not say, else what
 * is set and what to do about it. */
void server_log_check(
    struct pg_session *session, void (*fn)(void *arg, const char *risk, const char *remedy), void *arg);
