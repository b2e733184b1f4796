/* A worker that uses 64 MB of memory which is not private, so that only being looked at can stop it. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE ((size_t)64 * 1024 * 1024)

int main(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 1;
    memset(p, 1, SIZE);
    pause();
    return 0;
}
