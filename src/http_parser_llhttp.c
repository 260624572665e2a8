/* The parser library: llhttp 6 or later. */
#include "config.h"

#include "http.h"
#include "memory.h"

#include <errno.h>
#include <llhttp.h>

struct brink__http_parser {
	llhttp_t parser;
	llhttp_settings_t settings;
	llhttp_type_t type;
	struct brink__http_head *head; /* while one is parsed */
	bool complete;                 /* it was, to its end */
	uint64_t chunk_size, seen;
};

static int on_name(llhttp_t *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	/* Those of a trailer are dropped. */
	return mine->head != NULL ? brink__http_head_name(mine->head, at, size) : 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	return mine->head != NULL ? brink__http_head_value(mine->head, at, size) : 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct brink__http_parser *mine = parser->data;

	mine->complete = true;
	return 0;
}

static int on_chunk_header(llhttp_t *parser)
{
	struct brink__http_parser *mine = parser->data;

	mine->chunk_size = parser->content_length;
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	(void)at;
	mine->seen += size;
	return 0;
}

struct brink__http_parser *brink__http_parser_create(bool response)
{
	struct brink__http_parser *made = brink__allocate(1, sizeof *made);

	if (made == NULL)
		return NULL;
	llhttp_settings_init(&made->settings);
	made->settings.on_header_field = on_name;
	made->settings.on_header_value = on_value;
	made->settings.on_headers_complete = on_headers_complete;
	made->settings.on_chunk_header = on_chunk_header;
	made->settings.on_body = on_body;
	made->type = response ? HTTP_RESPONSE : HTTP_REQUEST;
	brink__http_parser_reset(made);
	return made;
}

void brink__http_parser_destroy(struct brink__http_parser *parser)
{
	brink__free(parser);
}

void brink__http_parser_reset(struct brink__http_parser *parser)
{
	llhttp_init(&parser->parser, parser->type, &parser->settings);
	parser->parser.data = parser;
	parser->complete = false;
	parser->chunk_size = parser->seen = 0;
}

/* A method that it does not know may be right, and not for us: 501. After a head that asks for
 * another protocol it stops, and that we do not speak any is for the program to say. */
int brink__http_parser_head(struct brink__http_parser *parser, struct brink__http_head *head, const char *bytes,
                            size_t size)
{
	llhttp_errno_t error;

	parser->head = head;
	error = llhttp_execute(&parser->parser, bytes, size);
	parser->head = NULL;
	if (error == HPE_INVALID_METHOD)
		return -ENOTSUP;
	return (error == HPE_OK || error == HPE_PAUSED_UPGRADE) && parser->complete ? 0 : -EPROTO;
}

int brink__http_parser_chunk(struct brink__http_parser *parser, const char *bytes, size_t size)
{
	llhttp_errno_t error = llhttp_execute(&parser->parser, bytes, size);

	/* At the end of a message that asks for another protocol. */
	return error == HPE_OK || error == HPE_PAUSED_UPGRADE ? 0 : -EPROTO;
}

uint64_t brink__http_parser_chunk_size(const struct brink__http_parser *parser)
{
	return parser->chunk_size;
}

uint64_t brink__http_parser_seen(struct brink__http_parser *parser)
{
	uint64_t seen = parser->seen;

	parser->seen = 0;
	return seen;
}
