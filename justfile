# Each recipe is a line or two of plain commands, so all of it runs without just, too.

# list the recipes
default:
    @just --list

# start the demo: simulator, runbooks, pages
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# the server on the simulator, for work on the code
run:
    cargo run -- demo

# every test, with its own PostgreSQL and Redis
test *ARGS:
    scripts/test {{ARGS}}

# a shell command beside a PostgreSQL with pgvector and a Redis
services *COMMAND:
    scripts/services {{COMMAND}}

# format, lints, documentation
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# licences, bans, sources
deny:
    "$(scripts/tools deny)" check bans licenses sources

# locks in every order of their steps
loom:
    scripts/loom

# every measured design beside its peers; some minutes, on a quiet machine
bench *ARGS:
    for bench in cache auth http plan chat redis decode decode_memory embed; do cargo bench -p resync-benches --bench $bench {{ARGS}} || exit 1; done
    scripts/services cargo bench -p resync-benches --bench postgres {{ARGS}}

# every fuzz target for a minute (needs a nightly compiler and cargo-fuzz)
fuzz *ARGS:
    scripts/fuzz {{ARGS}}

# the simulator with a plan of 100,000 jobs over three days: times and memory
simulator-nights JOBS="100000":
    cargo run --release -p resync-simulator --example measure -- {{JOBS}}

# client and simulator against the vendor's document (needs Node and the document)
prism:
    scripts/prism

# review changed snapshots (needs cargo-insta)
snap:
    cargo insta review

# a new migration of SQLite, numbered within its domain: just db-new 0105_name
db-new NAME:
    touch migrations/sqlite/{{NAME}}.sql

# what a submission must pass
ci:
    .ci/run
