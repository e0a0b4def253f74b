//! Which messages can lack required fields: those that have some, and all in which those are.

use super::{Kind, MessageId, MessagePlan, Requires};

/// Tells each message what the messages of its fields require. Each field is looked at once for each of the two answers.
pub(super) fn spread(mut messages: Vec<MessagePlan>) -> Vec<MessagePlan> {
    let mut users: Vec<Vec<MessageId>> = vec![Vec::new(); messages.len()];
    for message in &messages {
        for field in &message.fields {
            if let Kind::Message(id) | Kind::Group(id) = field.kind
                && let Some(users) = users.get_mut(id as usize)
            {
                users.push(message.id);
            }
        }
    }
    for answer in [Requires::Itself, Requires::InAny] {
        let have_it = messages.iter().filter(|message| message.requires == answer);
        let mut open: Vec<MessageId> = have_it.map(|message| message.id).collect();
        while let Some(id) = open.pop() {
            for user in &users[id as usize] {
                let user = &mut messages[*user as usize];
                if user.requires < answer {
                    user.requires = answer;
                    open.push(user.id);
                }
            }
        }
    }
    messages
}
