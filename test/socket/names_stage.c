#include "names_stage.h"

#include "names_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the script ---- */

#define NAMES 16

struct scripted {
	char host[64];
	char addresses[256];
	int error;
};

static struct scripted names[NAMES];
static unsigned name_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all of it */
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool let_go;
static atomic_uint asked_for, inside;

static struct scripted *find(const char *host)
{
	for (unsigned i = 0; i < name_count; i++)
		if (strcmp(names[i].host, host) == 0)
			return &names[i];
	return NULL;
}

static void script(const char *host, const char *addresses, int error)
{
	struct scripted *name;

	pthread_mutex_lock(&lock);
	name = find(host);
	if (name == NULL) {
		CHECK(name_count < NAMES);
		name = &names[name_count++];
	}
	snprintf(name->host, sizeof name->host, "%s", host);
	snprintf(name->addresses, sizeof name->addresses, "%s", addresses);
	name->error = error;
	pthread_mutex_unlock(&lock);
}

void script_addresses(const char *host, const char *addresses)
{
	script(host, addresses, 0);
}

void script_error(const char *host, int error)
{
	script(host, "", error);
}

void release_names(void)
{
	pthread_mutex_lock(&lock);
	let_go = true;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&lock);
}

unsigned names_asked(void)
{
	return asked_for;
}

unsigned names_held(void)
{
	return inside;
}

/* ---- a name server ---- */

static bool is_held(const char *host, int family)
{
	return strncmp(host, "held", 4) == 0 || (family == AF_INET && strncmp(host, "mute4", 5) == 0) ||
	       (family == AF_INET6 && strncmp(host, "mute6", 5) == 0);
}

/* A lookup for both families counts once. */
static int answer_server(const char *host, int family, char addresses[256], bool first)
{
	bool held = is_held(host, family), counts = first && family == AF_INET;
	struct scripted *name;
	int error = BRINK_ENONAME;

	pthread_mutex_lock(&lock);
	asked_for += counts;
	inside += counts && held && !let_go;
	if (let_go)
		inside = 0;
	name = find(host);
	if (name != NULL) {
		error = name->error;
		memcpy(addresses, name->addresses, 256);
	}
	if ((held && !let_go) || (!first && strncmp(host, "once", 4) == 0))
		error = -1;
	pthread_mutex_unlock(&lock);
	return error;
}

bool asks_cares(void)
{
	return strcmp(brink_resolver_backend(), "c-ares") == 0;
}

/* 0 where it cannot be told. */
static unsigned count_threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	unsigned count = 0;

	while (folder != NULL && readdir(folder) != NULL)
		count++;
	if (folder != NULL)
		closedir(folder);
	return count;
}

static unsigned threads_before;

/* Threads that a resolver has left behind are waited for: memory checkers look at them, too. */
void forget_names(void)
{
	stop_names_server();
	/* A checker may have started threads of its own meanwhile, which stay. */
	for (unsigned ms = 0; ms < 1000 && count_threads() > threads_before; ms++)
		sleep_ms(1);
}

/* ---- getaddrinfo(3), in place of the system's ---- */

/* In the flags of what is ours to free. */
#define OURS 0x40000000

static struct addrinfo *new_entry(const char *text, unsigned port)
{
	struct addrinfo *entry = calloc(1, sizeof *entry);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
	bool is_v4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;

	CHECK(entry != NULL && (is_v4 || inet_pton(AF_INET6, text, &v6.sin6_addr) == 1));
	entry->ai_flags = OURS;
	entry->ai_family = is_v4 ? AF_INET : AF_INET6;
	entry->ai_socktype = SOCK_STREAM;
	entry->ai_addrlen = is_v4 ? sizeof v4 : sizeof v6;
	entry->ai_addr = calloc(1, sizeof v6);
	CHECK(entry->ai_addr != NULL);
	memcpy(entry->ai_addr, is_v4 ? (void *)&v4 : (void *)&v6, entry->ai_addrlen);
	return entry;
}

static struct addrinfo *new_list(const char *addresses, unsigned port, int family)
{
	struct addrinfo *list = NULL, **end = &list;
	char copy[256], *rest = NULL;

	snprintf(copy, sizeof copy, "%s", addresses);
	for (char *text = strtok_r(copy, " ", &rest); text != NULL; text = strtok_r(NULL, " ", &rest)) {
		struct addrinfo *entry = new_entry(text, port);

		if (family != AF_UNSPEC && family != entry->ai_family) {
			free(entry->ai_addr);
			free(entry);
			continue;
		}
		*end = entry;
		end = &entry->ai_next;
	}
	return list;
}

static int answer_of(int error)
{
	switch (error) {
	case 0: return 0;
	case BRINK_ENAMEAGAIN: return EAI_AGAIN;
	case BRINK_ENAMEFAILED: return EAI_FAIL;
	case BRINK_ENOSERVICE: return EAI_SERVICE;
	case ENOMEM: return EAI_MEMORY;
	case EMFILE: errno = EMFILE; return EAI_SYSTEM;
	default: return EAI_NONAME;
	}
}

static int answer(const char *host, const char *service, int family, struct addrinfo **list)
{
	unsigned port = strcmp(service, "https") == 0 ? 443 : (unsigned)atoi(service);
	struct scripted *name;
	int result = EAI_NONAME;

	pthread_mutex_lock(&lock);
	asked_for++;
	inside++;
	while (strncmp(host, "held", 4) == 0 && !let_go)
		pthread_cond_wait(&released, &lock);
	inside--;
	name = find(host);
	if (name != NULL) {
		*list = new_list(name->addresses, port, family);
		result = answer_of(name->error);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef void freeaddrinfo_fn(struct addrinfo *);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	size_t length = host != NULL ? strlen(host) : 0;
	getaddrinfo_fn *system;

	if (length > 5 && strcmp(host + length - 5, ".test") == 0)
		return answer(host, service, hints->ai_family, list);
	*(void **)&system = dlsym(RTLD_NEXT, "getaddrinfo");
	return system != NULL ? system(host, service, hints, list) : EAI_FAIL;
}

void need_names_of_the_system(void)
{
	if (!asks_cares() && dlsym(RTLD_NEXT, "getaddrinfo") == NULL)
		SKIP("a static program that has a getaddrinfo() has not the system's");
}

void freeaddrinfo(struct addrinfo *list)
{
	freeaddrinfo_fn *system;

	if (list != NULL && (list->ai_flags & OURS) == 0) {
		*(void **)&system = dlsym(RTLD_NEXT, "freeaddrinfo");
		CHECK(system != NULL);
		system(list);
		return;
	}
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_addr);
		free(list);
		list = next;
	}
}

/* ---- lookups ---- */

static void on_lookup(brink_lookup *lookup, int error)
{
	struct asked *asked = brink_container_of(lookup, struct asked, lookup);
	size_t length = 0;

	asked->calls++;
	asked->error = error;
	asked->count = lookup->count;
	CHECK_ALWAYS((error == 0) == (lookup->count > 0));
	CHECK_ALWAYS((lookup->addresses != NULL) == (lookup->count > 0));
	asked->text[0] = '\0';
	for (unsigned i = 0; i < lookup->count; i++) {
		char text[BRINK_ADDRESS_TEXT];

		CHECK_OK(brink_address_format(&lookup->addresses[i], text, sizeof text));
		length += (size_t)snprintf(asked->text + length, sizeof asked->text - length, "%s%s", i > 0 ? " " : "",
		                           text);
		CHECK(length < sizeof asked->text);
	}
	if (asked->act != NULL)
		asked->act(asked);
}

void init_asked(struct asked *asked)
{
	memset(asked, 0, sizeof *asked);
	asked->lookup.call = on_lookup;
}

void ask_for(brink_resolver *resolver, struct asked *asked, const char *name)
{
	unsigned calls = asked->calls;

	CHECK_OK(brink_lookup_start(resolver, &asked->lookup, name));
	CHECK_EQ(asked->calls, calls); /* never from the start */
}

static int compare_texts(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The words of `text`, in order of the alphabet. */
static void sort_words(char *text)
{
	char copy[512], *words[64], *rest = NULL;
	size_t count = 0;

	strcpy(copy, text);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	qsort(words, count, sizeof words[0], compare_texts);
	*text = '\0';
	for (size_t i = 0; i < count; i++)
		strcat(strcat(text, i > 0 ? " " : ""), words[i]);
}

void expect_answer(brink_loop *loop, struct asked *asked, const char *addresses)
{
	char expected[512];

	RUN_UNTIL(loop, asked->calls > 0);
	CHECK_OK(asked->error);
	snprintf(expected, sizeof expected, "%s", addresses);
	if (asks_cares()) {
		sort_words(expected);
		sort_words(asked->text);
	}
	if (strcmp(asked->text, expected) != 0)
		FAIL("\"%s\", and not \"%s\"", asked->text, expected);
	asked->calls = 0;
}

void expect_error(brink_loop *loop, struct asked *asked, int error)
{
	RUN_UNTIL(loop, asked->calls > 0);
	CHECK_ERROR(asked->error, error);
	asked->calls = 0;
}

brink_resolver *new_resolver(brink_loop *loop, const struct brink_resolver_options *options)
{
	brink_resolver *resolver;

	CHECK_OK(brink_resolver_create(&resolver, loop, options));
	return resolver;
}

static void be_asked(void)
{
	char address[64];

	if (!asks_cares())
		return;
	stop_names_server();
	start_names_server(answer_server, address);
	CHECK_EQ(setenv("BRINK_NAME_SERVERS", address, 1), 0);
}

void need_scripted_names(void)
{
	brink_resolver *resolver;
	struct asked asked;
	brink_loop *loop;
	bool scripted;

	threads_before = count_threads();
	be_asked();
	loop = new_loop();
	resolver = new_resolver(loop, NULL);
	init_asked(&asked);
	script_addresses("probe.test", "127.0.0.1");
	ask_for(resolver, &asked, "probe.test:1");
	RUN_UNTIL(loop, asked.calls > 0);
	scripted = asked.error == 0;
	brink_resolver_destroy(resolver);
	CHECK_OK(brink_loop_destroy(loop));
	atomic_store(&asked_for, 0);
	if (!scripted)
		SKIP("the library does not ask this program for names");
}
