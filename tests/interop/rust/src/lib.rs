// SPDX-License-Identifier: Apache-2.0

//! Code that the asynchronous and the synchronous peer share: the command line, the checks of unary
//! calls, and the plain socket for what a library refuses to send.

pub mod check;
pub mod raw;
pub mod service;
pub mod unary;

pub mod asynchronous {
    include!(concat!(env!("OUT_DIR"), "/asynchronous/mod.rs"));
}

pub mod synchronous {
    include!(concat!(env!("OUT_DIR"), "/synchronous/mod.rs"));
}

use std::collections::HashMap;

pub const MESSAGE_MAX: usize = 4 << 20;
pub const DETAIL_TYPE: &str = "type.googleapis.com/interop.v1.EchoReply";

/// The options of the command line.
pub struct Arguments {
    pub command: String,
    /// `unix:///abs/path`, the form that the library takes.
    pub address: String,
    pub suite: String,
    pub expect: HashMap<String, String>,
}

impl Arguments {
    pub fn path(&self) -> &str {
        self.address.trim_start_matches("unix://")
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut parsed = Arguments {
            command: words.next()?,
            address: String::new(),
            suite: "all".to_string(),
            expect: HashMap::new(),
        };
        while let Some(option) = words.next() {
            let value = words.next()?;
            match option.as_str() {
                "--socket" => parsed.address = value,
                "--suite" => parsed.suite = value,
                "--expect" => {
                    let (name, outcome) = value.split_once('=')?;
                    parsed.expect.insert(name.to_string(), outcome.to_string());
                }
                _ => return None,
            }
        }
        let known = ["server", "client", "list"].contains(&parsed.command.as_str());
        let addressed = parsed.command == "list" || parsed.address.starts_with("unix://");
        (known && addressed).then_some(parsed)
    }
}

pub fn arguments() -> Arguments {
    Arguments::parse(std::env::args().skip(1)).unwrap_or_else(|| {
        eprintln!("usage: server|client|list --socket unix:///abs/path [--suite SUITE] [--expect CHECK=OUTCOME]...");
        std::process::exit(64);
    })
}

pub fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|i| (i as u8).wrapping_mul(7).wrapping_add(seed))
        .collect()
}
