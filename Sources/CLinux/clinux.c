#define _GNU_SOURCE
#include "clinux.h"

#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int clinux_clock_synchronised(void) {
  struct timex state;
  memset(&state, 0, sizeof state);
  return adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
}

void clinux_thread_name(pthread_t thread, const char *name) {
  char kept[16];
  strncpy(kept, name, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  pthread_setname_np(thread, kept);
}

int clinux_peer_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  *uid = peer.uid;
  *gid = peer.gid;
  *pid = peer.pid;
  return 0;
}

int clinux_peer_groups(int fd, gid_t *groups, int max) {
  socklen_t size = (socklen_t)max * sizeof(gid_t);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) return -1;
  return (int)(size / sizeof(gid_t));
}

void clinux_small_heap(void) {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

void clinux_trim_heap(void) { malloc_trim(0); }

static int release_object(struct dl_phdr_info *object, size_t size, void *pages) {
  (void)size;
  const uintptr_t mask = *(const uintptr_t *)pages - 1;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    // A part that was ever writable may hold relocations, which no file has.
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
    const uintptr_t begin = (object->dlpi_addr + part->p_vaddr) & ~mask;
    const uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz + mask) & ~mask;
    madvise((void *)begin, end - begin, MADV_DONTNEED);
  }
  return 0;
}

void clinux_release_text(void) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  dl_iterate_phdr(release_object, &page);
}
