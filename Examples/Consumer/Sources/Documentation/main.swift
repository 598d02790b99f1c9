// In a copy of this package, `.ci/examples` replaces this file with the first example of the README, and adds a file for each other example
// of the README, the DocC pages and the documentation comments.
