/* libbrink: one edge-triggered contract on epoll, kqueue, poll and io_uring.
 *
 * This header includes the whole public interface; each part can also be
 * included alone. Conventions that hold in all of them:
 *
 *  - A function that can fail returns 0 or a count, or a negative errno value
 *    (-ENOMEM, -EBADF, ...). brink_strerror() says it in words.
 *  - What a function makes is in `*pointer` when it has returned 0; after an error that is as before,
 *    or NULL, and nothing was made.
 *  - Watches, timers, tasks, signals, children and hooks are structs in the
 *    caller's memory: zero them, set `call` (the _init functions do both), start
 *    them. Keep them at their address while they are started. To get from one to
 *    the object around it, use brink_container_of().
 *  - All times are nanoseconds; BRINK_MS() and BRINK_SECONDS() convert.
 *  - A function may be called only from the loop's thread, unless its comment
 *    says "any thread". The loop's thread is the one that runs it, also after
 *    the run has returned; before the first run, the one that created it.
 *  - Everything may be stopped, closed and freed inside any callback, its own
 *    included, and the memory is the caller's again when the call returns. */
#ifndef BRINK_H
#define BRINK_H

#include <brink/address.h>
#include <brink/backend.h>
#include <brink/base.h>
#include <brink/buffer.h>
#include <brink/child.h>
#include <brink/client.h>
#include <brink/datagram.h>
#include <brink/dial.h>
#include <brink/error.h>
#include <brink/executor.h>
#include <brink/group.h>
#include <brink/hook.h>
#include <brink/http.h>
#include <brink/listener.h>
#include <brink/log.h>
#include <brink/loop.h>
#include <brink/memory.h>
#include <brink/messenger.h>
#include <brink/resolver.h>
#include <brink/server.h>
#include <brink/signal.h>
#include <brink/socket.h>
#include <brink/task.h>
#include <brink/timer.h>
#include <brink/tls.h>
#include <brink/trace.h>
#include <brink/transport.h>
#include <brink/version.h>
#include <brink/watch.h>

#endif
