// What Linux offers and Swift's Glibc module does not show: feature-test macros, variadics and function-like macros.
#ifndef CLINUX_H
#define CLINUX_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

// 1 when the kernel says that UTC is synchronised (adjtimex(2)), else 0.
int clinux_clock_synchronised(void);

// Names the thread for ps(1) and top(1); at most 15 bytes are kept.
void clinux_thread_name(pthread_t thread, const char *name);

// Who is on the other end of a unix socket (unix(7), SO_PEERCRED). 0, or -1 with errno.
int clinux_peer_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid);

// The supplementary groups of the peer when it connected (SO_PEERGROUPS). Their number, or -1 with errno; at most `max`.
int clinux_peer_groups(int fd, gid_t *groups, int max);

// Keeps the allocator small: two arenas for all threads, and free pages at the top given back early (mallopt(3)).
// Call before other threads allocate.
void clinux_small_heap(void);

// Gives the free pages of the heap back to the kernel (malloc_trim(3)).
void clinux_trim_heap(void);

// Unmaps the pages of the program's and its libraries' text and constants; what is used next is mapped again from the
// page cache, without a read where it is still there (madvise(2), MADV_DONTNEED on what is never written).
void clinux_release_text(void);

#endif
