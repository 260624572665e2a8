/* A program that uses TLS, as an outsider would write it: a client's context is made, or the library
 * says that it was built without. */
#include <brink.h>

#include <errno.h>
#include <stdio.h>

int main(void)
{
	brink_tls *tls = NULL;
	int rc = brink_tls_create(&tls, &(struct brink_tls_options){.peer_name = "example.org"});

	printf("a context: %s\n", rc < 0 ? brink_tls_error() : "made");
	brink_tls_release(tls);
	return rc != 0 && rc != -ENOTSUP;
}
