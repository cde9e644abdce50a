package responses

import (
	"strconv"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// AppendError appends the body of an HTTP error:
//
//	{"error":{"message":"…","type":"…","param":null,"code":null}}
//
// param is the field of the request that it is about. code is the one that clients
// act upon, or the provider's own. The envelope has no place for a request id;
// OpenAI sends it in the x-request-id header.
func AppendError(dst []byte, e *llm.Error, _ string) []byte {
	kind, code := errorType(e.Kind)
	if code == "" {
		code = e.Code
	}
	dst = rawjson.AppendQuote(append(dst, `{"error":{"message":`...), e.Message)
	dst = append(append(append(dst, `,"type":"`...), kind...), `","param":`...)
	dst = appendOptional(dst, e.Field)
	dst = appendOptional(append(dst, `,"code":`...), code)
	return append(dst, "}}"...)
}

// appendFailure appends the error of a response that has failed after it began. Its
// code is one of the reference's, server_error where it has none for the kind: Codex
// tries again after that one, and after rate_limit_exceeded at the time that the
// message names.
func appendFailure(dst []byte, e *llm.Error) []byte {
	kind, code := errorType(e.Kind)
	if code == "" {
		code = "server_error"
		switch e.Kind {
		case llm.ErrInvalid, llm.ErrPermission, llm.ErrNotFound, llm.ErrTooLarge:
			code = "invalid_prompt" // the one after which nobody tries again
		}
	}
	message := e.Message
	if e.Kind == llm.ErrRateLimit && e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		message += " (try again in " + strconv.FormatInt(int64(seconds), 10) + "s)"
	}
	dst = append(append(append(dst, `{"code":"`...), code...), `","message":`...)
	dst = rawjson.AppendQuote(dst, message)
	dst = append(append(append(dst, `,"type":"`...), kind...), `","param":`...)
	return append(appendOptional(dst, e.Field), '}')
}

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return rawjson.AppendQuote(dst, s)
}

// errorType returns the type of an error and the code of those that clients act
// upon: context_length_exceeded makes them compact the conversation, and
// insufficient_quota makes them stop trying.
func errorType(kind llm.ErrorKind) (name, code string) {
	switch kind {
	case llm.ErrContextLength:
		return "invalid_request_error", "context_length_exceeded"
	case llm.ErrInvalid, llm.ErrMethod:
		return "invalid_request_error", ""
	case llm.ErrPolicy:
		return "invalid_request_error", "invalid_prompt"
	case llm.ErrAuthentication:
		return "authentication_error", "invalid_api_key"
	case llm.ErrPermission:
		return "permission_error", ""
	case llm.ErrNotFound:
		return "not_found_error", ""
	case llm.ErrTooLarge:
		return "request_too_large", ""
	case llm.ErrRateLimit:
		return "rate_limit_error", "rate_limit_exceeded"
	case llm.ErrQuota:
		return "insufficient_quota", "insufficient_quota"
	case llm.ErrOverloaded:
		return "overloaded_error", ""
	case llm.ErrTimeout:
		return "timeout_error", ""
	}
	return "api_error", ""
}
