// SPDX-License-Identifier: Apache-2.0

//! Answers that both servers give.

use std::collections::HashMap;

use protobuf::{EnumOrUnknown, Message};
use ttrpc::proto::Any;
use ttrpc::Status;

use crate::asynchronous::echo::{EchoReply, FailRequest, MetadataReply, Pair};
use crate::DETAIL_TYPE;

pub fn status_of(request: &FailRequest) -> Status {
    let detail = EchoReply {
        text: request.detail.clone(),
        ..Default::default()
    };
    let mut status = Status::new();
    status.code = EnumOrUnknown::from_i32(request.code);
    status.message = request.message.clone();
    if !request.detail.is_empty() {
        status.details.push(Any {
            type_url: DETAIL_TYPE.to_string(),
            value: detail.write_to_bytes().expect("a message into memory"),
            ..Default::default()
        });
    }
    status
}

pub fn metadata_reply(metadata: &HashMap<String, Vec<String>>) -> MetadataReply {
    let mut keys: Vec<_> = metadata.keys().collect();
    keys.sort();
    let mut reply = MetadataReply::new();
    for key in keys {
        for value in &metadata[key] {
            reply.pairs.push(Pair {
                key: key.clone(),
                value: value.clone(),
                ..Default::default()
            });
        }
    }
    reply
}
