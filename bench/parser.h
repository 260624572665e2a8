/* The parser library that libbrink was built with, for a peer that is to have the same. */
#ifndef BENCH_PARSER_H
#define BENCH_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef HAVE_LLHTTP
#include <llhttp.h>

typedef llhttp_t http_machine;
typedef llhttp_settings_t http_callbacks;

static inline void parser_begin(http_machine *parser, const http_callbacks *settings)
{
	llhttp_init(parser, HTTP_REQUEST, settings);
}

static inline bool parser_take(http_machine *parser, const http_callbacks *settings, const char *bytes, size_t size)
{
	(void)settings;
	return llhttp_execute(parser, bytes, size) == HPE_OK;
}

static inline bool parser_keeps_alive(const http_machine *parser)
{
	return llhttp_should_keep_alive(parser) != 0;
}
#else
#include <http_parser.h>

typedef http_parser http_machine;
typedef http_parser_settings http_callbacks;

static inline void parser_begin(http_machine *parser, const http_callbacks *settings)
{
	(void)settings;
	http_parser_init(parser, HTTP_REQUEST);
}

static inline bool parser_take(http_machine *parser, const http_callbacks *settings, const char *bytes, size_t size)
{
	return http_parser_execute(parser, settings, bytes, size) == size && HTTP_PARSER_ERRNO(parser) == HPE_OK;
}

static inline bool parser_keeps_alive(const http_machine *parser)
{
	return http_should_keep_alive(parser) != 0;
}
#endif

#endif
