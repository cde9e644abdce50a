// Package assets holds the files that are part of the program: the list of models,
// the description of the API with the page that shows it, the pages of the log window,
// the icons and the message catalogues.
package assets

import "embed"

// Models is the list of models that the program knows, a JSON array in the form of
// upstream.Model. The sizes are those that docs.z.ai gives.
//
//go:embed models.json
var Models []byte

// OpenAPI is the description of the local API, OpenAPI 3.1 in JSON.
//
//go:embed openapi.json
var OpenAPI []byte

// Docs is the page that shows the API to people, HTML without outside resources.
//
//go:embed docs.html
var Docs []byte

// Locales are the message catalogues: locales/DOMAIN.LANGUAGE.yaml, a text for each ID.
//
//go:embed locales/*.yaml
var Locales embed.FS

// Window are the pages of the log window: window/index.html and what it loads.
//
//go:embed window
var Window embed.FS

// Frame is the page in which the captcha's widget runs, and its script.
//
//go:embed frame
var Frame embed.FS
