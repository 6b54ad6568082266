package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// adminPrefix is where the admin API's paths start.
const adminPrefix = "/admin/v1"

// adminMost is the most bytes of an answer: a page of 100 messages is a few MiB.
const adminMost = 64 << 20

// adminClient speaks with the admin API.
type adminClient struct {
	base, token string
	http        *http.Client
}

// adminRequest is what there is to say beside the path.
type adminRequest struct {
	query   url.Values
	ifMatch string
	body    any // nil: none
}

// adminPath makes a path of its parts, below adminPrefix. None may lead elsewhere.
func adminPath(parts ...string) (string, error) {
	var b strings.Builder
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", usagef("%q names nothing", part)
		}
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String(), nil
}

// call sends a request and returns the answer's body.
func (c *adminClient) call(ctx context.Context, method string, r adminRequest, parts ...string) (json.RawMessage, error) {
	path, err := adminPath(parts...)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	target := c.base + adminPrefix + path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, usagef("%w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", "qst/"+programVersion())
	req.Header.Set("Accept", "application/json, application/problem+json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, adminMost))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, newAdminError(c.base, resp, answer)
	}
	return answer, nil
}

// get reads what is at a path into v.
func (c *adminClient) get(ctx context.Context, v any, parts ...string) error {
	answer, err := c.call(ctx, http.MethodGet, adminRequest{}, parts...)
	if err != nil {
		return err
	}
	return understand(answer, v)
}

// understand decodes an answer.
func understand(answer json.RawMessage, v any) error {
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("the answer is not the admin API's: %w", err)
	}
	return nil
}

// pages gives the elements of a list, a page at a time. field is the name that they have in
// a page.
func (c *adminClient) pages(ctx context.Context, query url.Values, field string, parts ...string) iter.Seq2[[]json.RawMessage, error] {
	return func(yield func([]json.RawMessage, error) bool) {
		for {
			elements, next, err := c.page(ctx, query, field, parts...)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(elements, nil) || next == "" {
				return
			}
			u, err := url.Parse(next)
			if err != nil || u.Query().Get("after") == query.Get("after") {
				yield(nil, fmt.Errorf("the admin API's next page is %q", next))
				return
			}
			query = u.Query()
		}
	}
}

func (c *adminClient) page(ctx context.Context, query url.Values, field string, parts ...string) (elements []json.RawMessage, next string, err error) {
	answer, err := c.call(ctx, http.MethodGet, adminRequest{query: query}, parts...)
	if err != nil {
		return nil, "", err
	}
	var page map[string]json.RawMessage
	if err := understand(answer, &page); err != nil {
		return nil, "", err
	}
	if err := understand(page[field], &elements); err != nil {
		return nil, "", err
	}
	if page["next"] != nil {
		err = understand(page["next"], &next)
	}
	return elements, next, err
}
