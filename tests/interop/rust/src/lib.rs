pub mod asynchronous { include!(concat!(env!("OUT_DIR"), "/asynchronous/mod.rs")); }
pub mod synchronous { include!(concat!(env!("OUT_DIR"), "/synchronous/mod.rs")); }
