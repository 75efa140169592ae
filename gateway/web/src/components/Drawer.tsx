import { useEffect, useRef, type ReactNode } from "react";

interface Props {
    label: string;
    isOpen: boolean;
    onClose: () => void;
    children: ReactNode;
}

/** A panel over the page on narrow screens. The dialog element keeps the focus inside and gives it back. */
export function Drawer({ label, isOpen, onClose, children }: Props) {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        const element = dialog.current;
        if (isOpen && !element?.open) {
            element?.showModal();
        } else if (!isOpen && element?.open) {
            element.close();
        }
    }, [isOpen]);
    return (
        <dialog
            className="drawer"
            ref={dialog}
            aria-label={label}
            onClose={onClose}
            onClick={(event) => event.target === dialog.current && onClose()}
        >
            {children}
        </dialog>
    );
}
