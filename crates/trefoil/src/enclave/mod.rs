//! What several subcommands need to know of an enclave on this machine: its ports and sites, whether and how it runs,
//! whether a part answers, what an outsider needs to use it. Making and starting it is in `up`.

pub(crate) mod estate;
pub(crate) mod ports;
pub(crate) mod probe;
pub(crate) mod ready;
pub(crate) mod state;
