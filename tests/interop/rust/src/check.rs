// SPDX-License-Identifier: Apache-2.0

//! Runs and reports checks. A check returns its outcome in a word or a few. `want` is the outcome
//! that a client sees through the proxy. --expect names another one for pairs that differ.

use crate::Arguments;
use ttrpc::{Code, Error};

pub type Outcome = Result<String, String>;

pub struct Check {
    pub suite: &'static str,
    pub name: &'static str,
    pub want: &'static str,
    pub run: Box<dyn Fn() -> Outcome>,
}

pub const OK: &str = "ok";

pub fn run_suite(arguments: &Arguments, mut checks: Vec<Check>) -> i32 {
    let suite = arguments.suite.as_str();
    checks.retain(|c| suite == "all" || suite == c.suite || suite == c.name);
    if arguments.command == "list" {
        checks.iter().for_each(|c| println!("{}", c.name));
        return 0;
    }
    if checks.is_empty() {
        println!("no check is called {suite}");
        return 64;
    }
    println!("plan {}", checks.len());
    let mut failed = 0;
    for check in checks {
        let want = arguments
            .expect
            .get(check.name)
            .map_or(check.want, String::as_str);
        match (check.run)() {
            // `A|B` accepts either outcome: upstream has races.
            Ok(got) if want.split('|').any(|alternative| got == alternative) => {
                println!("ok {}", check.name)
            }
            Ok(got) => {
                println!("FAIL {}: {got:?}, expected {want:?}", check.name);
                failed = 1;
            }
            Err(why) => {
                println!("FAIL {}: {why}", check.name);
                failed = 1;
            }
        }
    }
    failed
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Names the end of a call: the code of a status, `closed` for a lost connection, and the library's
/// own refusals and timeouts, which have no code.
pub fn code<T>(result: &Result<T, Error>) -> String {
    let error = match result {
        Ok(_) => return OK.to_string(),
        Err(error) => error,
    };
    match error {
        Error::RpcStatus(status) => format!("{:?}", status.code()),
        Error::Socket(_) | Error::LocalClosed | Error::RemoteClosed => "closed".to_string(),
        Error::Eof => "end of stream".to_string(),
        Error::Others(words) if words.contains("timeout") => {
            format!("{:?}", Code::DEADLINE_EXCEEDED)
        }
        Error::Others(words) if words.contains("exceed maximum message size") => {
            "refused by the library".to_string()
        }
        other => other.to_string(),
    }
}

pub fn code_and_text<T>(result: &Result<T, Error>) -> String {
    match result {
        Err(Error::RpcStatus(status)) => format!("{:?} {}", status.code(), status.message()),
        _ => code(result),
    }
}
