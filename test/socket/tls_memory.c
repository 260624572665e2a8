/* The k-th allocation fails, for every k, of the library's and then of OpenSSL's: an error, nothing
 * lost, and nobody waits for ever. */
#include "scarce.h"
#include "tls_stage.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool create_contexts(struct tls_duo *duo)
{
	for (int i = 0; i < 2; i++) {
		struct tls_side *side = &duo->sides[i];
		int result;

		if (i == SERVER) {
			side->tls_options.certificates = &side->certificate;
			side->tls_options.certificate_count = 1;
		}
		result = brink_tls_create(&side->tls, &side->tls_options);
		CHECK(result <= 0);
		if (result < 0) {
			CHECK(brink_tls_error()[0] != '\0');
			side->tls = NULL;
			return false;
		}
	}
	return true;
}

static bool create_sockets(struct tls_duo *duo)
{
	for (int i = 0; i < 2; i++) {
		struct tls_side *side = &duo->sides[i];

		side->options.transport_arg = side->tls;
		if (brink_socket_create(&side->id, duo->loop, &side->options) < 0) {
			side->id = BRINK_NO_SOCKET;
			return false;
		}
		*(i == CLIENT ? &duo->pair.ours : &duo->pair.theirs) = -1;
	}
	return true;
}

static bool write_if_possible(brink_socket_id id)
{
	static const char bytes[20000];
	brink_socket *socket = brink_socket_address(id);
	bool written = socket != NULL && brink_socket_write_bytes(socket, bytes, sizeof bytes) == 0;

	if (socket != NULL)
		brink_socket_release(socket);
	return written;
}

static bool talk(struct tls_duo *duo)
{
	struct seen *client = &duo->sides[CLIENT].seen, *server = &duo->sides[SERVER].seen;

	if (!write_if_possible(duo->sides[CLIENT].id) || !write_if_possible(duo->sides[SERVER].id))
		return false;
	RUN_UNTIL(duo->loop, (client->size == 20000 && server->size == 20000) || client->closes + server->closes > 0);
	return client->closes + server->closes == 0;
}

/* The duo's certificates and loop are made before. */
static bool play(struct tls_duo *duo)
{
	return create_contexts(duo) && create_sockets(duo) && talk(duo);
}

void tls_scarce_memory(enum kind kind)
{
	bool reached = true;
	long most = 0;

	scarce_memory();
	for (unsigned k = 1; reached; k++) {
		struct tls_duo duo;
		bool well;

		open_tls(&duo, kind);
		fail_allocation(k);
		well = play(&duo);
		reached = allocation_failed();
		for (int i = 0; i < 2; i++)
			if (duo.sides[i].seen.closes > 0 && duo.sides[i].seen.error != -ENOMEM)
				CHECK(duo.sides[!i].seen.closes == 0 || duo.sides[!i].seen.error == -ENOMEM ||
				      duo.sides[!i].id == BRINK_NO_SOCKET);
		CHECK(well || reached);
		close_tls(&duo);
		if (k <= 3)
			most = blocks_live() > most ? blocks_live() : most;
		if (blocks_live() > most + 300)
			FAIL("%ld blocks, and %ld before", blocks_live(), most);
		CHECK(k < 1000);
	}
}

/* ---- OpenSSL's ---- */

static atomic_ulong openssl_calls, openssl_fails;

static bool fails_now(void)
{
	unsigned long failing = openssl_fails;

	return failing != 0 && ++openssl_calls == failing;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails_now() ? NULL : malloc(size);
}

static void *openssl_realloc(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0) {
		free(memory);
		return NULL;
	}
	return fails_now() ? NULL : realloc(memory, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* Every so many, with another beginning each time: there are thousands. */
void tls_scarce_openssl(enum kind kind)
{
	unsigned long step = is_long() ? 1 : is_slow() ? 300 : 100;
	bool reached = true;

	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		SKIP("OpenSSL has allocated before");
	scarce_memory();
	for (unsigned long k = 1 + random_below((unsigned)step); reached; k += step) {
		struct tls_duo duo;
		bool well;

		open_tls(&duo, kind);
		openssl_calls = 0;
		openssl_fails = k;
		well = play(&duo);
		reached = openssl_calls >= k;
		openssl_fails = 0;
		CHECK(well || reached);
		close_tls(&duo);
		CHECK(k < 1000000);
	}
}

void tls_nothing_is_left(enum kind kind)
{
	struct tls_duo duo;
	long before = 0;

	scarce_memory();
	open_tls(&duo, kind);
	create_tls(&duo);
	for (unsigned i = 0; i < (is_slow() ? 30u : 100u); i++) {
		expect_open(&duo);
		CHECK(talk(&duo));
		if (i == 20)
			before = blocks_live();
		again_tls(&duo, kind);
	}
	if (blocks_live() > before + 20)
		FAIL("%ld blocks, and %ld before", blocks_live(), before);
	close_tls(&duo);
}
