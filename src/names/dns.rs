//! Messages of DNS: questions are names that are told, answers say where those names are at home.

use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

use super::{Names, Place};
use crate::events::{Answers, Event, Events, Resolved, What};
use crate::flow::Flow;
use crate::hostname::NameBuf;
use crate::inspect::dns::{self, Message, QClass, QType, Question};
use crate::inspect::{Detail, SeenIn};
use crate::questions::{Questions, Side};
use crate::seen::Mark;

/// Where the names of records are built.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    owner: NameBuf,
    target: NameBuf,
    aliases: dns::Aliases,
}

impl Names {
    /// Takes a DNS message: tells the questions of a query, and of a response to a resolver's port what it says of its question, which is told
    /// too where no query was seen.
    pub(crate) fn message(
        &mut self,
        flow: Flow,
        message: &[u8],
        mark: Mark,
        tag: u32,
        questions: &mut Questions,
        events: &mut Events,
    ) {
        let Events { list, answers } = events;
        let mut tell = |what| list.push((tag, Event { mark, what }));
        let Ok(message) = Message::parse(message) else { return tell(What::MalformedDns) };
        let mut buffer = std::mem::take(&mut self.buffer);
        let is_response = message.is_response();
        let mut first = None;
        if is_response {
            first = self.response(flow, &message, &mut buffer, answers, &mut tell);
        }
        let of_resolver = if is_response { flow.src.port } else { flow.dst.port } == dns::PORT;
        if of_resolver || !is_response {
            let (client, seen_in, side) = match is_response {
                true => (flow.reversed(), SeenIn::DnsResponse, Side::Response),
                false => (flow, SeenIn::DnsQuery, Side::Query),
            };
            let place = Place { flow: client, mark, seen_in, others: &[], matters: false };
            let each = |name: &str, qtype: QType, qclass: QClass| {
                let question = || FxBuildHasher.hash_one((message.id(), name, qtype, qclass));
                if of_resolver && !questions.is_news(side, flow.tag(), question(), mark.at) {
                    return;
                }
                let detail = || Detail::Dns { qtype: qtype.0, qclass: qclass.0 };
                tell(self.sight(name, &place, &detail).unwrap_or(What::Counted(seen_in)));
            };
            let read = match first {
                Some(first) => message.questions_with(first, &mut buffer, each),
                None => message.questions(&mut buffer, each),
            };
            // A response that is cut may yet repeat its question; where it does not, that is no news.
            if read.is_err() && !is_response {
                tell(What::MalformedDns);
            }
        }
        self.buffer = buffer;
    }

    /// Tells what a response says of the name that was asked for. One that goes to a group has no client. Gives the question, if it was read:
    /// its name is in `buffer`.
    fn response(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        buffer: &mut NameBuf,
        answers: &mut Answers,
        tell: &mut impl FnMut(What),
    ) -> Option<Question> {
        let client = flow.dst.ip;
        if !self.is_useful() || message.rcode() != 0 || client.is_multicast() {
            return None;
        }
        let question = message.question(buffer)?;
        let Buffers { owner, target, aliases } = &mut self.records;
        let answered = message.answered(buffer.as_str(), owner, target, aliases);
        let service = matches!(question.qtype, QType::SVCB | QType::HTTPS);
        if answered.addresses.is_empty() && answered.ech.is_empty() {
            // That there is nothing to hide a name with matters where the name does. Browsers ask this of every name.
            let matters = || self.every_hostname || self.lists.lookup(buffer.as_str()).is_some();
            if !service || !matters() {
                return Some(question);
            }
        }
        let (name, entry) = (buffer.as_str(), self.lists.lookup(buffer.as_str()).cloned());
        tell(What::Answer(answers.add(name, Resolved::new(client, entry, answered, service))));
        Some(question)
    }
}
