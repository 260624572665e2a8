/* The parser library: http_parser 2.9 (Debian's libhttp-parser-dev). */
#include "config.h"

#include "http.h"
#include "memory.h"

#include <errno.h>
#include <http_parser.h>

struct brink__http_parser {
	http_parser parser;
	enum http_parser_type type;
	struct brink__http_head *head; /* while one is parsed */
	bool complete;                 /* it was, to its end */
	uint64_t chunk_size, seen;
};

static int on_name(http_parser *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	/* Those of a trailer are dropped. */
	return mine->head != NULL ? brink__http_head_name(mine->head, at, size) : 0;
}

static int on_value(http_parser *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	return mine->head != NULL ? brink__http_head_value(mine->head, at, size) : 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct brink__http_parser *mine = parser->data;

	mine->complete = true;
	return 0;
}

static int on_chunk_header(http_parser *parser)
{
	struct brink__http_parser *mine = parser->data;

	mine->chunk_size = parser->content_length;
	return 0;
}

static int on_body(http_parser *parser, const char *at, size_t size)
{
	struct brink__http_parser *mine = parser->data;

	(void)at;
	mine->seen += size;
	return 0;
}

static const http_parser_settings settings = {
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_chunk_header = on_chunk_header,
	.on_body = on_body,
};

struct brink__http_parser *brink__http_parser_create(bool response)
{
	struct brink__http_parser *made = brink__allocate(1, sizeof *made);

	if (made != NULL) {
		made->type = response ? HTTP_RESPONSE : HTTP_REQUEST;
		brink__http_parser_reset(made);
	}
	return made;
}

void brink__http_parser_destroy(struct brink__http_parser *parser)
{
	brink__free(parser);
}

void brink__http_parser_reset(struct brink__http_parser *parser)
{
	http_parser_init(&parser->parser, parser->type);
	parser->parser.data = parser;
	parser->complete = false;
	parser->chunk_size = parser->seen = 0;
}

/* A method that it does not know may be right, and not for us: 501. */
static int explain(const struct brink__http_parser *parser)
{
	return HTTP_PARSER_ERRNO(&parser->parser) == HPE_INVALID_METHOD ? -ENOTSUP : -EPROTO;
}

int brink__http_parser_head(struct brink__http_parser *parser, struct brink__http_head *head, const char *bytes,
                            size_t size)
{
	size_t done;

	parser->head = head;
	done = http_parser_execute(&parser->parser, &settings, bytes, size);
	parser->head = NULL;
	if (HTTP_PARSER_ERRNO(&parser->parser) != HPE_OK)
		return explain(parser);
	return done == size && parser->complete ? 0 : -EPROTO;
}

int brink__http_parser_chunk(struct brink__http_parser *parser, const char *bytes, size_t size)
{
	size_t done = http_parser_execute(&parser->parser, &settings, bytes, size);

	return done == size && HTTP_PARSER_ERRNO(&parser->parser) == HPE_OK ? 0 : -EPROTO;
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
