#pragma once
/* Where the worker's program is, for those who start it: the daemon and ingestctl. */

/*
 * Beside the folder of the caller's own program in a build, in ../libexec/ingestd of where that is installed, or
 * where the worker was to be installed when it was built: the first that can be executed, else the last. A new
 * string.
 */
char *worker_path(void);
