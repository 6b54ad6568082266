// Package console is the operators' web page: static files, embedded in the program, that call the
// admin API from a browser. It has no state and no rights of its own: the page sends the admin token
// that the operator types, and keeps it in its memory.
//
// The folder static is the page as it is served, without a build step: ES modules, one for each view.
package console
