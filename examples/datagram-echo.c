/* datagram-echo: sends every datagram back, in batches.  datagram-echo [ADDRESS]
 *
 * What came in one call goes back in one call. Where the network is slower than the senders, the
 * socket's queue takes what it can; the rest is dropped here, as the network would have done it.
 *
 * Who answers everything is not for a network of strangers: they can write another's address on what they
 * send, and if that is a service like this one the two talk to each other for ever. name-server.c answers
 * questions only. */
#include <brink.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define MOST 64

static brink_loop *loop;
static unsigned long dropped;

/* Returns how many went. One that nobody can be sent, as to a UNIX socket without a name, does not hold up
 * those behind it. */
static unsigned send_back(brink_datagram *socket, const struct brink_packet *answers, unsigned count)
{
	unsigned sent = 0;
	int taken;

	for (unsigned done = 0; done < count; done += taken > 0 ? (unsigned)taken : 1) {
		taken = brink_datagram_send_many(socket, answers + done, count - done);
		if (taken == -EAGAIN)
			break;
		sent += taken > 0 ? (unsigned)taken : 0;
	}
	return sent;
}

static void on_packets(brink_datagram *socket, const struct brink_packet *packets, unsigned count, void *arg)
{
	struct brink_packet answers[MOST];

	(void)arg;
	for (unsigned done = 0, batch; done < count; done += batch) {
		batch = count - done < MOST ? count - done : MOST;
		for (unsigned i = 0; i < batch; i++)
			answers[i] = (struct brink_packet){
				.bytes = packets[done + i].bytes,
				.size = packets[done + i].size,
				.to = packets[done + i].from,
				.from = packets[done + i].local, /* which the sender knows us by */
			};
		dropped += batch - send_back(socket, answers, batch);
	}
}

static void on_signal(brink_signal *stop)
{
	(void)stop;
	brink_loop_stop(loop);
}

static int serve(const char *address)
{
	brink_datagram *socket;
	struct brink_packet_counters counters;
	struct brink_address bound;
	char text[BRINK_ADDRESS_TEXT];
	int rc = brink_datagram_create(&socket, loop, &(struct brink_datagram_options){
		.address = address, .on_packets = on_packets, .receive_buffer = 1 << 20});

	if (rc < 0)
		return rc;
	brink_datagram_address(socket, &bound);
	brink_address_format(&bound, text, sizeof text);
	printf("%s: datagrams come back\n", text);
	fflush(stdout);
	rc = brink_loop_run(loop); /* until SIGINT or SIGTERM */
	brink_datagram_counters(socket, &counters);
	printf("received %llu sent %llu dropped %lu in %llu and %llu calls\n", (unsigned long long)counters.received,
	       (unsigned long long)counters.sent, dropped, (unsigned long long)counters.receive_calls,
	       (unsigned long long)counters.send_calls);
	brink_datagram_destroy(socket);
	return rc;
}

int main(int argc, char **argv)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	brink_signal stops[2];
	int rc = brink_loop_create(&loop, NULL);

	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		brink_signal_init(&stops[i], on_signal);
		rc = brink_signal_start(loop, &stops[i], numbers[i]);
	}
	if (rc == 0)
		rc = serve(argc > 1 ? argv[1] : "127.0.0.1:7000");
	if (rc < 0)
		fprintf(stderr, "datagram-echo: %s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	return rc < 0;
}
